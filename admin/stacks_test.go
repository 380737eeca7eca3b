package admin_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

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
