package admin_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"

	"github.com/hydrant-go/hydrant/admin"
)

type (
	stackEvent    = types.StackEvent
	stackResource = types.StackResourceSummary
)

// cfnError answers every call with an error in CloudFormation's form.
func cfnError(status int, code, message string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>r</RequestId></ErrorResponse>", code, message)
	})
}

func TestStack(t *testing.T) {
	for _, tc := range []struct{ code, message, want string }{
		{"ValidationError", "Stack with id s does not exist", "there is no such stack"},
		{"ValidationError", "Stack [s] does not exist", "there is no such stack"},
		{"ValidationError", "Template format error: x does not exist", ""},
		{"AccessDenied", "Stack with id s does not exist", ""},
	} {
		c := cloudformation.NewFromConfig(configFor(cfnError(400, tc.code, tc.message)))
		_, err := admin.Stack(t.Context(), c, "s")
		if errors.Is(err, admin.ErrNoStack) != (tc.want != "") || err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), tc.message) {
			t.Errorf("%s: %s: %v", tc.code, tc.message, err)
		}
		for _, err := range admin.StackEvents(t.Context(), c, "s") {
			if errors.Is(err, admin.ErrNoStack) != (tc.want != "") {
				t.Errorf("events: %v", err)
			}
		}
		for _, err := range admin.StackResources(t.Context(), c, "s") {
			if errors.Is(err, admin.ErrNoStack) != (tc.want != "") {
				t.Errorf("resources: %v", err)
			}
		}
	}
	answer := func(stacks string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "<R><DescribeStacksResult><Stacks>"+stacks+"</Stacks></DescribeStacksResult></R>")
		})
	}
	s, err := admin.Stack(t.Context(), cloudformation.NewFromConfig(configFor(answer("<member><StackName>s</StackName><StackStatus>CREATE_COMPLETE</StackStatus></member>"))), "s")
	if err != nil || s.StackStatus != types.StackStatusCreateComplete {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := admin.Stack(t.Context(), cloudformation.NewFromConfig(configFor(answer(""))), "s"); err == nil || !strings.Contains(err.Error(), "the answer holds 0 stacks") {
		t.Errorf("no stack in the answer: %v", err)
	}
}

func codeOf(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

func TestExplainStacks(t *testing.T) {
	for _, tc := range []struct{ code, message, remedy string }{
		{"ValidationError", "Stack with id s does not exist", "hydrant deploy sets a stack up"},
		{"AccessDenied", "User: arn:aws:iam::1:user/u is not authorized to perform: cloudformation:DescribeStacks on resource: x", "allow cloudformation:DescribeStacks"},
		{"InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]", "--capability CAPABILITY_NAMED_IAM"},
		{"AlreadyExistsException", "Stack [s] already exists", "another name by --stack"},
		{"LimitExceededException", "Limit for stack has been exceeded", "as many stacks"},
		{"ValidationError", "Parameters: [Name] must have values", "--parameter NAME=VALUE"},
		{"ValidationError", "Parameters: [Nope] do not exist in the template", "--dry-run"},
		{"ValidationError", "1 validation error detected: Value at 'x' failed to satisfy constraint: y", "--dry-run"},
		{"ValidationError", "Parameter BufferSizeMiB failed to match", "--dry-run"},
		{"ValidationError", "Template format error: unsupported structure.", "--template"},
		{"ValidationError", "Stack [s] cannot be deleted while TerminationProtection is enabled", "--no-enable-termination-protection"},
		{"ValidationError", "Stack:s is in UPDATE_IN_PROGRESS state and can not be updated.", "waits for that"},
		{"ValidationError", "something new", ""},
		{"Throttling", "Rate exceeded", "try again"},
		{"ExpiredToken", "The security token included in the request is expired", "aws sso login"},
	} {
		c := cloudformation.NewFromConfig(configFor(cfnError(400, tc.code, tc.message)))
		_, err := admin.Stack(t.Context(), c, "s")
		cause := "describe stack s: " + tc.code + ": " + tc.message
		if errors.Is(err, admin.ErrNoStack) {
			cause = "describe stack s: there is no such stack: " + tc.code + ": " + tc.message
		}
		checkExplained(t, err, cause, tc.remedy)
	}
	// What a stack tells of a resource has no code.
	checkExplained(t, errors.New("stack s is ROLLBACK_COMPLETE: AWS::IAM::Role Role: User: u is not authorized to perform: iam:CreateRole on resource: x"),
		"stack s is ROLLBACK_COMPLETE: AWS::IAM::Role Role: User: u is not authorized to perform: iam:CreateRole on resource: x", "allow iam:CreateRole")
	cfg := configFor(nil)
	cfg.HTTPClient, cfg.BaseEndpoint = nil, aws.String("http://127.0.0.1:1")
	_, err := admin.Stack(t.Context(), cloudformation.NewFromConfig(cfg), "s")
	if text := admin.Explain(err).Error(); !strings.Contains(text, "AWS_ENDPOINT_URL_CLOUDFORMATION") {
		t.Errorf("nobody there: %s", text)
	}
}
