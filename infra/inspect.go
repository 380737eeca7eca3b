package infra

import (
	"cmp"
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/hydrant-go/hydrant/admin"
)

const (
	bucketType = "AWS::S3::Bucket"
	streamType = "AWS::KinesisFirehose::DeliveryStream"
)

// Bucket is a bucket of a stack, and what it holds, or what was removed from it.
type Bucket struct {
	Name string `json:"name"`
	admin.Emptied
	// More is true if there is more in it than was counted.
	More bool `json:"more,omitempty"`
}

// Inventory is what Destroy would remove.
type Inventory struct {
	Stack, StackID, Region, Account, Status string

	Streams []string   // delivery streams; what they have buffered is lost with them
	Buckets []Bucket   // with all that they hold
	Others  []Resource // what else is removed
	Kept    []Resource // what the template says is to be kept
}

// countAtMost bounds the counting in a bucket: a hundred calls.
const countAtMost = 100_000

// Inspect tells what [Destroy] would remove, and removes nothing. In a bucket it
// counts at most 100,000 versions. The error is [admin.ErrNoStack] if there is no
// such stack.
func Inspect(ctx context.Context, cfg aws.Config, stack string) (*Inventory, error) {
	if err := CheckStackName(stack); err != nil {
		return nil, err
	}
	c := clientsFor(cfg)
	s, err := c.look(ctx, stack)
	if err != nil {
		return nil, err
	}
	parts, err := c.parts(ctx, s)
	if err != nil {
		return nil, err
	}
	region, account := place(s.StackId)
	inv := &Inventory{
		Stack: stack, StackID: aws.ToString(s.StackId), Region: cmp.Or(region, cfg.Region), Account: account,
		Status: string(s.StackStatus), Kept: parts.kept,
	}
	for _, r := range parts.removed {
		switch r.Type {
		case streamType:
			inv.Streams = append(inv.Streams, r.PhysicalID)
		case bucketType:
			b := Bucket{Name: r.PhysicalID}
			if err := c.count(ctx, &b, account); err != nil {
				return nil, err
			}
			inv.Buckets = append(inv.Buckets, b)
		default:
			inv.Others = append(inv.Others, r)
		}
	}
	return inv, nil
}

func (c *clients) count(ctx context.Context, b *Bucket, owner string) error {
	n := 0
	for v, err := range admin.ObjectVersions(ctx, c.s3, b.Name, owner) {
		if admin.NoBucket(err) { // deleted, as by a Destroy that was interrupted
			return nil
		}
		if err != nil {
			return err
		}
		if n++; n > countAtMost {
			b.More = true
			return nil
		}
		b.Add(&v)
	}
	return nil
}

// parts are a stack's resources that are there.
type parts struct{ removed, kept []Resource }

// parts finds out which resources a deletion removes.
func (c *clients) parts(ctx context.Context, stack *types.Stack) (parts, error) {
	var p parts
	var keeps map[string]bool
	for r, err := range admin.StackResources(ctx, c.cfn, aws.ToString(stack.StackId)) {
		if err != nil {
			return p, err
		}
		if !exists(&r) {
			continue
		}
		if keeps == nil { // a stack without resources may have no template either
			if keeps, err = c.keeps(ctx, stack); err != nil {
				return p, err
			}
		}
		res := Resource{aws.ToString(r.LogicalResourceId), aws.ToString(r.ResourceType), aws.ToString(r.PhysicalResourceId), string(r.ResourceStatus)}
		if keeps[res.LogicalID] {
			p.kept = append(p.kept, res)
		} else {
			p.removed = append(p.removed, res)
		}
	}
	return p, nil
}

// exists tells of a resource that is there and the stack's own. One that could not be
// created is not: its id may be that of somebody else's, whose name it wanted.
func exists(r *types.StackResourceSummary) bool {
	switch r.ResourceStatus {
	case types.ResourceStatusDeleteComplete, types.ResourceStatusDeleteSkipped, types.ResourceStatusCreateFailed, types.ResourceStatusCreateInProgress:
		return false
	}
	return aws.ToString(r.PhysicalResourceId) != ""
}

// keeps finds the resources that a deletion of the stack leaves, in its template:
// no list of resources tells.
func (c *clients) keeps(ctx context.Context, stack *types.Stack) (map[string]bool, error) {
	name := aws.ToString(stack.StackName)
	out, err := c.cfn.GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: stack.StackId})
	if err != nil {
		return nil, fmt.Errorf("get the template of stack %s: %w", name, err)
	}
	t, err := readTemplate(aws.ToString(out.TemplateBody))
	if err != nil {
		return nil, fmt.Errorf("stack %s: %w", name, err)
	}
	keeps := map[string]bool{}
	for id, r := range t.Resources {
		keeps[id] = r.DeletionPolicy == "Retain" || r.DeletionPolicy == "RetainExceptOnCreate"
	}
	return keeps, nil
}
