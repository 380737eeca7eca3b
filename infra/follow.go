package infra

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/hydrant-go/hydrant/admin"
)

const (
	stackType = "AWS::CloudFormation::Stack"
	mostPause = 4 * time.Second // between two looks at a stack
)

// inProgress tells of a stack that CloudFormation works on. REVIEW_IN_PROGRESS is
// not among them: it is a stack whose change set nobody has executed, and stays so.
func inProgress(s types.StackStatus) bool {
	return strings.HasSuffix(string(s), "_IN_PROGRESS") && s != types.StackStatusReviewInProgress
}

// follower hands out a stack's events in order, none twice and none left out.
type follower struct {
	c     *cloudformation.Client
	stack string // its id: a deleted one has no name
	tell  func(Event)

	last     string // id of the last event that was handed out or passed over; "": none
	failures []Event
}

// skip passes over what has happened so far: the next operation is what is followed.
func (f *follower) skip(ctx context.Context) error {
	for e, err := range admin.StackEvents(ctx, f.c, f.stack) {
		if err != nil {
			return err
		}
		f.last = aws.ToString(e.EventId)
		break
	}
	return nil
}

// join passes over what happened before the operation that is under way.
func (f *follower) join(ctx context.Context) error {
	begun := false
	for e, err := range admin.StackEvents(ctx, f.c, f.stack) {
		if err != nil {
			return err
		}
		if begun {
			f.last = aws.ToString(e.EventId)
			break
		}
		begun = f.begins(&e)
	}
	return nil
}

// begins tells of an operation's first event. A rollback is the rest of one.
func (f *follower) begins(e *types.StackEvent) bool {
	if aws.ToString(e.ResourceType) != stackType || aws.ToString(e.PhysicalResourceId) != f.stack {
		return false
	}
	switch e.ResourceStatus {
	case types.ResourceStatusCreateInProgress, types.ResourceStatusUpdateInProgress, types.ResourceStatusDeleteInProgress, types.ResourceStatusImportInProgress:
		return true
	}
	return false
}

// next hands out what has come since the last time, and tells how many.
func (f *follower) next(ctx context.Context) (int, error) {
	var list []types.StackEvent
	for e, err := range admin.StackEvents(ctx, f.c, f.stack) {
		if err != nil {
			return 0, err // nothing of it is handed out, so that the next time has all
		}
		if aws.ToString(e.EventId) == f.last {
			break
		}
		list = append(list, e)
	}
	for i, e := range slices.Backward(list) {
		f.handOut(&list[i])
		f.last = aws.ToString(e.EventId)
	}
	return len(list), nil
}

func (f *follower) handOut(e *types.StackEvent) {
	event := Event{
		Time: aws.ToTime(e.Timestamp), LogicalID: aws.ToString(e.LogicalResourceId), Type: aws.ToString(e.ResourceType),
		PhysicalID: aws.ToString(e.PhysicalResourceId), Status: string(e.ResourceStatus), Reason: aws.ToString(e.ResourceStatusReason),
	}
	if event.Failed() && event.Type != stackType && !cancelled(event.Reason) {
		f.failures = append(f.failures, event)
	}
	if f.tell != nil {
		f.tell(event)
	}
}

// cancelled tells of a failure that only follows from another: AWS was seen to say
// "Resource creation cancelled" and "Resource update cancelled".
func cancelled(reason string) bool {
	return strings.HasPrefix(reason, "Resource ") && strings.HasSuffix(reason, " cancelled")
}

// wait follows an operation to its end and returns the stack as it is then. each, if
// not nil, is called at every look while it goes on.
func (f *follower) wait(ctx context.Context, each func() error) (*types.Stack, error) {
	for quiet := 0; ; quiet++ {
		// The state first: what has happened before it is told then.
		stack, err := admin.Stack(ctx, f.c, f.stack)
		if err != nil {
			return nil, err
		}
		n, err := f.next(ctx)
		if err != nil || !inProgress(stack.StackStatus) {
			return stack, err
		}
		if each != nil {
			if err := each(); err != nil {
				return nil, err
			}
		}
		if n > 0 {
			quiet = 0
		}
		if err := admin.Pause(ctx, quiet, mostPause); err != nil {
			return nil, fmt.Errorf("wait for stack %s, which is %s: %w", aws.ToString(stack.StackName), stack.StackStatus, err)
		}
	}
}

// failed is the error of an operation that ended so.
func (f *follower) failed(s *types.Stack) *FailedError {
	return &FailedError{
		Stack: aws.ToString(s.StackName), Status: string(s.StackStatus),
		Failures: f.failures, Reason: aws.ToString(s.StackStatusReason),
	}
}

// FailedError is what Deploy and Destroy return when CloudFormation could not do
// what was asked for.
type FailedError struct {
	Stack, Status string
	// Failures are what went wrong, in order: the first is the cause, as what was only
	// cancelled because of it is left out.
	Failures []Event
	Reason   string // of the stack's state; may be empty
}

// Error has the first cause.
func (e *FailedError) Error() string {
	text := fmt.Sprintf("stack %s is %s", e.Stack, e.Status)
	if len(e.Failures) == 0 {
		if e.Reason != "" {
			text += ": " + e.Reason
		}
		return text
	}
	first := &e.Failures[0]
	text += fmt.Sprintf(": %s %s: %s", first.Type, first.LogicalID, first.Reason)
	if more := len(e.Failures) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more failures)", more)
	}
	return text
}

// withHint says how to go on, unless admin.Explain has a better word: which action the
// caller may not do.
func withHint(e *FailedError, hint string) error {
	if strings.Contains(e.Error(), "not authorized to perform") {
		return e
	}
	return fmt.Errorf("%w\nhint: %s", e, hint)
}
