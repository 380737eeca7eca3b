// Package infra sets up and removes what Hydrant sends to: a CloudFormation stack
// with a delivery stream, its S3 bucket, role, logs, alarms and dashboard. The
// template is that of the CDK app in cdk, embedded; the same file works with
// aws cloudformation deploy.
//
// [Deploy] and [Destroy] may be interrupted, by their context or a crash, and called
// again: CloudFormation goes on by itself, and the next call joins what is under way.
// What they do is told by callbacks; they print nothing.
//
// Nothing here was seen with AWS itself. What is known of its answers is named where
// it matters.
package infra

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/hydrant-go/hydrant/admin"
)

//go:embed template.json
var template string

// Template returns the embedded template, JSON.
func Template() string { return template }

// DefaultStack is the name of a stack that nobody has named.
const DefaultStack = "hydrant"

// The outputs of the embedded template that others look up.
const (
	OutputStreamName   = "StreamName"
	OutputBucketName   = "BucketName"
	OutputLogGroupName = "LogGroupName"
)

// Event is a change of a resource, or of the stack itself (its type is
// AWS::CloudFormation::Stack).
type Event struct {
	Time                        time.Time
	LogicalID, Type, PhysicalID string
	Status, Reason              string
}

// Failed tells of a change that could not be made.
func (e *Event) Failed() bool { return strings.HasSuffix(e.Status, "_FAILED") }

// Resource is a part of a stack.
type Resource struct {
	LogicalID  string `json:"logical_id"`
	Type       string `json:"type"`
	PhysicalID string `json:"physical_id"`
	Status     string `json:"status"`
}

// Callbacks are told how the work goes on. Each may be nil. They are called by the
// goroutine that has called Deploy or Destroy.
type Callbacks struct {
	// Event gets every change of the operations that are begun or joined, the oldest
	// first, each once.
	Event func(Event)
	// Say gets what else there is to know, in words.
	Say func(format string, args ...any)
	// Emptied gets what was removed from a bucket so far.
	Emptied func(bucket string, sum admin.Emptied)
}

func (c *Callbacks) say(format string, args ...any) {
	if c.Say != nil {
		c.Say(format, args...)
	}
}

// stackName is the rule of CloudFormation (API reference, CreateStack); it was
// seen to take an id, which is an ARN, in the same place.
var stackName = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]{0,127}$`)

// CheckStackName tells why a stack can't have this name.
func CheckStackName(name string) error {
	if stackName.MatchString(name) {
		return nil
	}
	return fmt.Errorf("a stack's name begins with a letter and has up to 128 letters, digits and hyphens, not %q", name)
}

// Outputs returns what a stack's template tells of what it has made, by name. The
// error is [admin.ErrNoStack] if there is no such stack.
func Outputs(ctx context.Context, cfg aws.Config, stack string) (map[string]string, error) {
	c := clientsFor(cfg)
	s, err := c.look(ctx, stack)
	if err != nil {
		return nil, err
	}
	return outputs(s), nil
}

func outputs(s *types.Stack) map[string]string {
	all := map[string]string{}
	for _, o := range s.Outputs {
		all[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	return all
}

// StreamName looks up the delivery stream in a stack's outputs. Its errors say what
// to do.
func StreamName(ctx context.Context, cfg aws.Config, stack string) (string, error) {
	c := clientsFor(cfg)
	s, err := c.look(ctx, stack)
	if err != nil {
		return "", err
	}
	if name := outputs(s)[OutputStreamName]; name != "" {
		return name, nil
	}
	if inProgress(s.StackStatus) {
		return "", fmt.Errorf("stack %s is %s, and has no output %s yet\nhint: hydrant deploy --stack %s waits for it", stack, s.StackStatus, OutputStreamName, stack)
	}
	if len(s.Outputs) == 0 {
		return "", fmt.Errorf("stack %s is %s, and has no outputs\nhint: hydrant deploy --stack %s sets it up", stack, s.StackStatus, stack)
	}
	have := strings.Join(slices.Sorted(maps.Keys(outputs(s))), ", ")
	return "", fmt.Errorf("stack %s has no output %s, but %s\nhint: its template is not Hydrant's: give the delivery stream by its name", stack, OutputStreamName, have)
}

// place is where a stack is, by its id.
func place(stackID *string) (region, account string) {
	a, err := arn.Parse(aws.ToString(stackID))
	if err != nil { // others than AWS may have ids of their own
		return "", ""
	}
	return a.Region, a.AccountID
}
