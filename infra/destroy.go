package infra

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/hydrant-go/hydrant/admin"
)

// DestroyOptions say what to destroy.
type DestroyOptions struct {
	AWS   aws.Config // with a region; required
	Stack string     // default DefaultStack
	// NoWait returns when the buckets are empty and CloudFormation has taken the order. A
	// bucket that is not empty any more when it comes to it makes that fail; another
	// Destroy goes on.
	NoWait bool
	Callbacks
}

// Destroyed is what Destroy has done.
type Destroyed struct {
	Stack   string `json:"stack"`
	Region  string `json:"region"`
	Account string `json:"account,omitempty"`
	// Deleted is false if there was no such stack, and with NoWait.
	Deleted bool `json:"deleted"`
	// Found is false if there was no such stack.
	Found   bool       `json:"found"`
	Buckets []Bucket   `json:"buckets"` // with what this call has removed from them
	Kept    []Resource `json:"kept"`    // what the template says is to be kept
}

// Destroy removes a stack with all that its buckets hold, and waits until it is gone. It
// does not ask: see [Inspect]. A stack that is not there is no error: Found tells. Nor
// is one that an earlier Destroy has left half removed, or whose operation is still
// under way: Destroy goes on.
//
// A bucket is emptied first, while it is being deleted, for what the stream had under
// way, and again where CloudFormation finds it not empty. The stream is deleted
// before its bucket, as it refers to it, so that ends; what it has buffered AWS was seen to
// discard. What the template keeps (DeletionPolicy Retain) is not touched, nor a bucket
// that the stack did not make or that belongs to another account.
func Destroy(ctx context.Context, o DestroyOptions) (*Destroyed, error) {
	o.Stack = cmp.Or(o.Stack, DefaultStack)
	if err := CheckStackName(o.Stack); err != nil {
		return nil, err
	}
	d := &destruction{DestroyOptions: o, clients: clientsFor(o.AWS), done: Destroyed{Stack: o.Stack, Region: o.AWS.Region, Buckets: []Bucket{}, Kept: []Resource{}}}
	stack, err := d.idle(ctx)
	if errors.Is(err, admin.ErrNoStack) {
		return &d.done, nil
	}
	if err != nil {
		return nil, err
	}
	region, account := place(stack.StackId)
	d.done.Found, d.done.Region, d.done.Account = true, cmp.Or(region, o.AWS.Region), account
	if aws.ToBool(stack.EnableTerminationProtection) { // before anything is emptied
		return nil, fmt.Errorf("stack %s has termination protection\nhint: aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name %[1]s takes it away", o.Stack)
	}
	if err := d.list(ctx, stack); err != nil {
		return nil, err
	}
	if err := d.run(ctx, stack); err != nil {
		return nil, err
	}
	return &d.done, nil
}

type destruction struct {
	DestroyOptions
	clients
	done    Destroyed
	ordered admin.Emptied // what was removed when the order to delete was given
}

// idle returns the stack once nothing but its deletion is under way.
func (d *destruction) idle(ctx context.Context) (*types.Stack, error) {
	stack, err := d.look(ctx, d.Stack)
	if err != nil || !inProgress(stack.StackStatus) || stack.StackStatus == types.StackStatusDeleteInProgress {
		return stack, err
	}
	d.say("stack %s is %s: waiting for that first", d.Stack, stack.StackStatus)
	f := &follower{c: d.cfn, stack: aws.ToString(stack.StackId), tell: d.Event}
	if err := f.join(ctx); err != nil {
		return nil, err
	}
	return f.wait(ctx, nil)
}

// list finds what is to be emptied, and what is kept.
func (d *destruction) list(ctx context.Context, stack *types.Stack) error {
	parts, err := d.parts(ctx, stack)
	if err != nil {
		return err
	}
	d.done.Kept = append(d.done.Kept, parts.kept...)
	for _, r := range parts.removed {
		if r.Type == bucketType {
			d.done.Buckets = append(d.done.Buckets, Bucket{Name: r.PhysicalID})
		}
	}
	return nil
}

// run empties and deletes. One failure for a bucket that was not empty is expected; a
// producer that goes on may cause some more.
func (d *destruction) run(ctx context.Context, stack *types.Stack) error {
	f := &follower{c: d.cfn, stack: aws.ToString(stack.StackId), tell: d.Event}
	for range rounds {
		if stack.StackStatus == types.StackStatusDeleteInProgress {
			d.say("stack %s is being deleted already", d.Stack)
			if err := f.join(ctx); err != nil {
				return err
			}
		} else if err := d.delete(ctx, f); err != nil {
			return err
		}
		if d.NoWait {
			return nil
		}
		var err error
		stack, err = f.wait(ctx, func() error { return d.empty(ctx) })
		if errors.Is(err, admin.ErrNoStack) || err == nil && stack.StackStatus == types.StackStatusDeleteComplete {
			d.done.Deleted = true
			return nil
		}
		if err != nil {
			return err
		}
		again, err := d.again(ctx, f)
		if err != nil {
			return err
		}
		if !again {
			return withHint(f.failed(stack), "once the cause is gone, the same command goes on")
		}
		f.failures = nil
	}
	return fmt.Errorf("a bucket of stack %s is never empty when CloudFormation comes to delete it: something writes to it all the time\nhint: stop that, and run the same command again", d.Stack)
}

// delete empties the buckets and gives the order.
func (d *destruction) delete(ctx context.Context, f *follower) error {
	if err := d.empty(ctx); err != nil {
		return err
	}
	d.ordered = d.sum()
	if err := f.skip(ctx); err != nil {
		return err
	}
	_, err := d.cfn.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: &f.stack, ClientRequestToken: newToken()})
	if err != nil {
		return fmt.Errorf("delete stack %s: %w", d.Stack, err)
	}
	return nil
}

// again tells whether the deletion has failed for nothing but what came into a
// bucket since the order, and takes that out.
func (d *destruction) again(ctx context.Context, f *follower) (bool, error) {
	full := slices.ContainsFunc(f.failures, func(e Event) bool {
		return e.Type == bucketType && slices.ContainsFunc(d.done.Buckets, func(b Bucket) bool { return b.Name == e.PhysicalID })
	})
	if !full {
		return false, nil
	}
	if err := d.empty(ctx); err != nil || d.sum() == d.ordered {
		return false, err
	}
	d.say("something had come into a bucket: it is empty again, deleting the stack once more")
	return true, nil
}

// empty takes out all that is in the buckets.
func (d *destruction) empty(ctx context.Context) error {
	for i := range d.done.Buckets {
		b := &d.done.Buckets[i]
		before := b.Emptied
		_, err := admin.EmptyBucket(ctx, d.s3, b.Name, d.done.Account, func(e admin.Emptied) {
			if b.Emptied = plus(before, e); d.Emptied != nil {
				d.Emptied(b.Name, b.Emptied)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sum is what was removed so far, from all buckets.
func (d *destruction) sum() (all admin.Emptied) {
	for _, b := range d.done.Buckets {
		all = plus(all, b.Emptied)
	}
	return all
}

func plus(a, b admin.Emptied) admin.Emptied {
	return admin.Emptied{Versions: a.Versions + b.Versions, Markers: a.Markers + b.Markers, Uploads: a.Uploads + b.Uploads, Bytes: a.Bytes + b.Bytes}
}
