package infra

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"

	"github.com/hydrant-go/hydrant/admin"
)

// DeployOptions say what to deploy. The zero value, with AWS, is the embedded template
// with its defaults.
type DeployOptions struct {
	AWS      aws.Config // with a region; required
	Stack    string     // default DefaultStack
	Template string     // JSON or YAML, at most 51,200 bytes; default Template()
	// Parameters are values by name. One that is not given keeps the value that the
	// stack has; of a new stack, and of a parameter that is new, it is the
	// template's default.
	Parameters map[string]string
	// Tags are the stack's, and of its resources. Nil leaves them as they are.
	Tags map[string]string
	// Capabilities are what CloudFormation may do; default CAPABILITY_IAM, which the
	// embedded template needs.
	Capabilities []string
	// NoWait returns when CloudFormation has taken the order.
	NoWait bool
	Callbacks
}

// What Deploy has done.
const (
	Created   = "created"
	Updated   = "updated"
	Unchanged = "unchanged"
)

// Deployed is a stack that Deploy has set up.
type Deployed struct {
	Stack   string            `json:"stack"`
	StackID string            `json:"stack_id"`
	Region  string            `json:"region"`
	Account string            `json:"account"`
	Action  string            `json:"action"` // Created, Updated or Unchanged; with NoWait what is begun
	Status  string            `json:"status"` // CloudFormation's
	Outputs map[string]string `json:"outputs"`
}

// maxTemplate is the most bytes of a template that comes with the call (API
// reference, CreateStack).
const maxTemplate = 51_200

// rounds bounds how often Deploy and Destroy begin again because the stack is not
// as it was a moment before: somebody else works on it.
const rounds = 10

// Deploy creates the stack, or updates it if it is there, waits until that is done
// and returns its outputs. Where nothing is to be done it does nothing. An operation
// that is under way is waited for first, so that a Deploy that was interrupted goes on
// when it is called again; if that one fails its failure is the result. What is left of
// a stack that could not be created is removed: it holds nothing.
//
// An operation that fails is a [*FailedError]. CloudFormation undoes what it has done
// then: an updated stack is as it was before. Values that the template does not take are
// errors of [CheckParameters], and nothing is done.
func Deploy(ctx context.Context, o DeployOptions) (*Deployed, error) {
	o.Stack = cmp.Or(o.Stack, DefaultStack)
	o.Template = cmp.Or(o.Template, template)
	if o.Capabilities == nil {
		o.Capabilities = []string{string(types.CapabilityCapabilityIam)}
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	d := &deployment{DeployOptions: o, clients: clientsFor(o.AWS)}
	for range rounds {
		stack, err := d.step(ctx)
		if err != nil {
			return nil, err
		}
		if stack != nil {
			return d.result(stack), nil
		}
	}
	return nil, fmt.Errorf("somebody else works on stack %s all the time\nhint: the events of the stack tell who: aws cloudformation describe-stack-events --stack-name %[1]s", d.Stack)
}

func (o *DeployOptions) check() error {
	if err := CheckStackName(o.Stack); err != nil {
		return err
	}
	if n := len(o.Template); n > maxTemplate {
		return fmt.Errorf("the template has %d bytes, and CloudFormation takes %d with a call\nhint: aws cloudformation deploy --s3-bucket takes a larger one, through S3", n, maxTemplate)
	}
	return CheckParameters(o.Template, o.Parameters)
}

type deployment struct {
	DeployOptions
	clients
	joined string // what the operation does that was under way
	action string
}

// step looks at the stack and does what comes next. It returns the stack when there is
// nothing more to do, and nil when it has to be looked at again.
func (d *deployment) step(ctx context.Context) (*types.Stack, error) {
	stack, err := d.look(ctx, d.Stack)
	switch {
	case errors.Is(err, admin.ErrNoStack):
		return d.create(ctx)
	case err != nil:
		return nil, err
	case inProgress(stack.StackStatus):
		return nil, d.join(ctx, stack)
	}
	switch stack.StackStatus {
	case types.StackStatusRollbackComplete, types.StackStatusReviewInProgress:
		return nil, d.removeLeftover(ctx, stack)
	case types.StackStatusRollbackFailed, types.StackStatusDeleteFailed:
		return nil, fmt.Errorf("stack %s is %s: some of its resources could not be removed\nhint: hydrant destroy --stack %[1]s removes them, with what they hold; then deploy again", d.Stack, stack.StackStatus)
	case types.StackStatusUpdateRollbackFailed, types.StackStatusImportRollbackFailed:
		return nil, fmt.Errorf("stack %s is %s: an update failed, and it could not be undone%s\nhint: remove the cause, then aws cloudformation continue-update-rollback --stack-name %[1]s, and deploy again",
			d.Stack, stack.StackStatus, because(stack))
	}
	return d.update(ctx, stack)
}

func because(s *types.Stack) string {
	if why := aws.ToString(s.StackStatusReason); why != "" {
		return ": " + why
	}
	return ""
}

func (d *deployment) follower(id string) *follower {
	return &follower{c: d.cfn, stack: id, tell: d.Event}
}

// create returns nil if the stack is there meanwhile.
func (d *deployment) create(ctx context.Context) (*types.Stack, error) {
	var parameters []types.Parameter
	for _, name := range slices.Sorted(maps.Keys(d.Parameters)) {
		parameters = append(parameters, types.Parameter{ParameterKey: aws.String(name), ParameterValue: aws.String(d.Parameters[name])})
	}
	out, err := d.cfn.CreateStack(ctx, &cloudformation.CreateStackInput{
		StackName: &d.Stack, TemplateBody: &d.Template, Parameters: parameters, Tags: d.tags(),
		Capabilities: d.capabilities(), ClientRequestToken: newToken(),
	})
	if _, exists := errors.AsType[*types.AlreadyExistsException](err); exists {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("create stack %s: %w", d.Stack, err)
	}
	d.action = Created
	return d.wait(ctx, d.follower(aws.ToString(out.StackId)))
}

// update returns nil if the stack is no longer as it was.
func (d *deployment) update(ctx context.Context, stack *types.Stack) (*types.Stack, error) {
	parameters, err := d.changed(stack)
	if err != nil {
		return nil, err
	}
	f := d.follower(aws.ToString(stack.StackId))
	if err := f.skip(ctx); err != nil {
		return nil, err
	}
	_, err = d.cfn.UpdateStack(ctx, &cloudformation.UpdateStackInput{
		StackName: &d.Stack, TemplateBody: &d.Template, Parameters: parameters, Tags: d.tags(),
		Capabilities: d.capabilities(), ClientRequestToken: newToken(),
	})
	switch text := validation(err); {
	case strings.Contains(text, "No updates are to be performed"):
		d.action = cmp.Or(d.joined, Unchanged)
		return stack, nil
	case strings.Contains(text, "state and can not be updated"), strings.HasSuffix(text, "does not exist"): // as it was a moment before
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("update stack %s: %w", d.Stack, err)
	}
	d.action = Updated
	return d.wait(ctx, f)
}

// validation is CloudFormation's text of what it calls a validation error; else "".
func validation(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() == "ValidationError" {
		return api.ErrorMessage()
	}
	return ""
}

// changed are all parameters of the template: without a word of one, an update would set
// it back to its default.
func (d *deployment) changed(stack *types.Stack) (list []types.Parameter, err error) {
	has := map[string]bool{}
	for _, p := range stack.Parameters {
		has[aws.ToString(p.ParameterKey)] = true
	}
	all, err := Parameters(d.Template)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		if value, given := d.Parameters[p.Name]; given {
			list = append(list, types.Parameter{ParameterKey: &p.Name, ParameterValue: &value})
		} else if has[p.Name] {
			list = append(list, types.Parameter{ParameterKey: &p.Name, UsePreviousValue: aws.Bool(true)})
		}
	}
	return list, nil
}

func (d *deployment) tags() (list []types.Tag) {
	if d.Tags == nil {
		return nil
	}
	list = []types.Tag{}
	for _, key := range slices.Sorted(maps.Keys(d.Tags)) {
		list = append(list, types.Tag{Key: aws.String(key), Value: aws.String(d.Tags[key])})
	}
	return list
}

func (d *deployment) capabilities() (list []types.Capability) {
	for _, c := range d.Capabilities {
		list = append(list, types.Capability(c))
	}
	return list
}

// newToken marks a call, so that CloudFormation knows one that is made again because
// its answer was lost.
func newToken() *string { return aws.String("hydrant-" + rand.Text()) }

// wait follows the operation that was begun.
func (d *deployment) wait(ctx context.Context, f *follower) (*types.Stack, error) {
	if d.NoWait {
		return admin.Stack(ctx, d.cfn, f.stack)
	}
	stack, err := f.wait(ctx, nil)
	if err != nil {
		return nil, err
	}
	return stack, d.verdict(f, stack)
}

// verdict is nil if the operation has done what was asked for.
func (d *deployment) verdict(f *follower, s *types.Stack) error {
	switch s.StackStatus {
	case types.StackStatusCreateComplete, types.StackStatusUpdateComplete, types.StackStatusImportComplete:
		return nil
	}
	hint := "once the cause is gone, the same command tries again"
	if s.StackStatus == types.StackStatusUpdateRollbackComplete {
		hint = "the stack is as it was before; " + hint
	}
	return withHint(f.failed(s), hint)
}

// join waits for an operation of an earlier call, or of somebody else.
func (d *deployment) join(ctx context.Context, stack *types.Stack) error {
	if d.NoWait {
		return fmt.Errorf("stack %s is %s\nhint: without --no-wait that is waited for", d.Stack, stack.StackStatus)
	}
	d.say("stack %s is %s: waiting for that first", d.Stack, stack.StackStatus)
	f := d.follower(aws.ToString(stack.StackId))
	if err := f.join(ctx); err != nil {
		return err
	}
	end, err := f.wait(ctx, nil)
	if errors.Is(err, admin.ErrNoStack) {
		return nil
	}
	if err != nil {
		return err
	}
	switch end.StackStatus {
	case types.StackStatusDeleteComplete:
		return nil
	case types.StackStatusDeleteFailed:
		return fmt.Errorf("%w\nhint: hydrant destroy --stack %s goes on with it", f.failed(end), d.Stack)
	case types.StackStatusCreateComplete:
		d.joined = Created
	case types.StackStatusUpdateComplete:
		d.joined = Updated
	}
	return d.verdict(f, end)
}

// removeLeftover removes a stack that was never made: CloudFormation has undone what a
// first try had done, or nobody has executed its first change set. All that can be
// done with one is to delete it (user guide, stack status codes).
func (d *deployment) removeLeftover(ctx context.Context, stack *types.Stack) error {
	d.say("stack %s is %s, what is left of a first try that failed: removing it, there is nothing in it", d.Stack, stack.StackStatus)
	f := d.follower(aws.ToString(stack.StackId))
	if err := f.skip(ctx); err != nil {
		return err
	}
	if _, err := d.cfn.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: stack.StackId, ClientRequestToken: newToken()}); err != nil {
		return fmt.Errorf("delete stack %s: %w", d.Stack, err)
	}
	end, err := f.wait(ctx, nil)
	if errors.Is(err, admin.ErrNoStack) {
		return nil
	}
	if err == nil && end.StackStatus != types.StackStatusDeleteComplete {
		err = f.failed(end)
	}
	return err
}

func (d *deployment) result(s *types.Stack) *Deployed {
	region, account := place(s.StackId)
	return &Deployed{
		Stack: d.Stack, StackID: aws.ToString(s.StackId), Region: cmp.Or(region, d.AWS.Region), Account: account,
		Action: d.action, Status: string(s.StackStatus), Outputs: outputs(s),
	}
}
