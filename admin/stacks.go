package admin

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"
)

// ErrNoStack is what [Stack], [StackEvents] and [StackResources] return of a
// stack that does not exist.
var ErrNoStack = errors.New("there is no such stack")

// Stack returns a stack's state, by its name or its id. A stack that is deleted has
// no name any more: its id finds it for 90 days (API reference, DescribeStacks).
func Stack(ctx context.Context, c cloudformation.DescribeStacksAPIClient, stack string) (*types.Stack, error) {
	out, err := c.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
	if err != nil {
		return nil, fmt.Errorf("describe stack %s: %w", stack, noStack(err))
	}
	if len(out.Stacks) != 1 {
		return nil, fmt.Errorf("describe stack %s: the answer holds %d stacks", stack, len(out.Stacks))
	}
	return &out.Stacks[0], nil
}

// noStack makes ErrNoStack of CloudFormation's error, which has no code of its
// own: AWS was seen to say "Stack with id NAME does not exist" and "Stack [NAME]
// does not exist".
func noStack(err error) error {
	api, ok := errors.AsType[smithy.APIError](err)
	if ok && api.ErrorCode() == "ValidationError" && strings.HasPrefix(api.ErrorMessage(), "Stack") && strings.Contains(api.ErrorMessage(), "does not exist") {
		return fmt.Errorf("%w: %w", ErrNoStack, err)
	}
	return err
}

// StackEvents yields a stack's events, the latest first, each once. An error ends
// the sequence.
func StackEvents(ctx context.Context, c cloudformation.DescribeStackEventsAPIClient, stack string) iter.Seq2[types.StackEvent, error] {
	events := paged("list events of stack "+stack, func(token string) ([]types.StackEvent, string, error) {
		out, err := c.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: &stack, NextToken: unlessEmpty(token)})
		if err != nil {
			return nil, "", noStack(err)
		}
		return out.StackEvents, aws.ToString(out.NextToken), nil
	})
	return once(events, func(e *types.StackEvent) string { return aws.ToString(e.EventId) })
}

// StackResources yields a stack's resources, each once, also those that are deleted
// or could not be created: ResourceStatus tells. An error ends the sequence.
func StackResources(ctx context.Context, c cloudformation.ListStackResourcesAPIClient, stack string) iter.Seq2[types.StackResourceSummary, error] {
	resources := paged("list resources of stack "+stack, func(token string) ([]types.StackResourceSummary, string, error) {
		out, err := c.ListStackResources(ctx, &cloudformation.ListStackResourcesInput{StackName: &stack, NextToken: unlessEmpty(token)})
		if err != nil {
			return nil, "", noStack(err)
		}
		return out.StackResourceSummaries, aws.ToString(out.NextToken), nil
	})
	return once(resources, func(r *types.StackResourceSummary) string { return aws.ToString(r.LogicalResourceId) })
}
