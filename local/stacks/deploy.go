package stacks

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/local/stacks/template"
	"github.com/hydrant-go/hydrant/wire"
)

// CreateStack, UpdateStack, UpdateTerminationProtection
//
// Kept: everything is checked before the call is answered but for what only making it
// shows; a stack that is being worked on is not updated; an update without a change is
// refused; a call that is repeated with its ClientRequestToken is the same call.
// Left out, and refused by name: stack policies, rollback triggers, TimeoutInMinutes,
// ResourceTypes, the mode EXPRESS. NotificationARNs are kept, and nobody is told: there is
// no SNS here.

type createStackInput struct {
	deployment
	OnFailure                   string
	EnableTerminationProtection bool
}

type stackOutput struct{ StackId string }

func (s *Store) createStack(ctx context.Context, c awsapi.Caller, in *createStackInput) (any, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	id := newStackID(c, *in.StackName)
	p, err := s.plan(ctx, &in.deployment, envOf(c, *in.StackName, id, in.NotificationARNs), nil)
	if err != nil {
		return nil, err
	}
	st, err := s.addStack(c, in, id, p)
	if err != nil {
		return nil, err
	}
	return stackOutput{st.ID}, s.begun(ctx, st)
}

func (in *createStackInput) check() error {
	if err := checkNewName(in.StackName); err != nil {
		return err
	}
	if err := checkOneOf("onFailure", in.OnFailure, nothing, rollback, drop); err != nil {
		return err
	}
	if in.OnFailure != "" && in.DisableRollback { // the rule is the API reference's, the words are ours
		return invalid("Either DisableRollback or OnFailure can be specified, not both.")
	}
	return in.deployment.check()
}

// addStack makes the stack and has it created, or returns the one that this very call has
// made before.
func (s *Store) addStack(c awsapi.Caller, in *createStackInput, id string, p *plan) (*stack, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if st := s.names[stackKey{c, *in.StackName}]; st != nil {
		if in.ClientRequestToken != nil && st.Token == *in.ClientRequestToken && st.Operation == "CreateStack" {
			return st, nil
		}
		return nil, wire.Errorf(codeExists, "Stack [%s] already exists", *in.StackName)
	}
	if err := s.roomLocked(true); err != nil {
		return nil, err
	}
	st := s.newStackLocked(c, *in.StackName, id)
	st.definition, st.Protected, st.RetainExceptOnCreate = p.definition, in.EnableTerminationProtection, in.RetainExceptOnCreate
	st.Token, st.Operation = deref(in.ClientRequestToken), "CreateStack"
	if in.OnFailure != "" {
		st.OnFailure = in.OnFailure
	}
	if in.DisableRollback || in.DeploymentConfig.DisableRollback {
		st.OnFailure, st.DisableRollback = nothing, true
	}
	st.statusLocked(createInProgress, userInitiated)
	s.driveLocked(st)
	return st, nil
}

func (s *Store) updateStack(ctx context.Context, c awsapi.Caller, in *struct{ deployment }) (any, error) {
	if err := checkNameOrID(in.StackName); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	st, now, err := s.toUpdate(c, &in.deployment)
	if err != nil {
		return nil, err
	}
	if now == nil { // the call has come before
		return stackOutput{st.ID}, nil
	}
	p, err := s.plan(ctx, &in.deployment, now.env, now)
	if err != nil {
		return nil, err
	}
	if !p.differs {
		return nil, invalid("No updates are to be performed.")
	}
	s.mu.Lock()
	if err := s.mayUpdateLocked(st); err != nil {
		s.mu.Unlock()
		return nil, err
	}
	st.DisableRollback = in.DisableRollback || in.DeploymentConfig.DisableRollback
	st.RetainExceptOnCreate = in.RetainExceptOnCreate
	s.startUpdateLocked(st, p.definition, "UpdateStack", deref(in.ClientRequestToken))
	s.mu.Unlock()
	return stackOutput{st.ID}, s.begun(ctx, st)
}

// startUpdateLocked has a stack become what the definition says.
func (s *Store) startUpdateLocked(st *stack, d definition, operation, token string) {
	st.beginLocked()
	d.Outputs = st.Outputs
	st.definition, st.Updated = d, now()
	st.Token, st.Operation = token, operation
	st.statusLocked(updateInProgress, userInitiated)
	s.driveLocked(st)
}

// toUpdate finds the stack of an update, and what it is now; nil if this call has been
// answered already.
func (s *Store) toUpdate(c awsapi.Caller, in *deployment) (*stack, *snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.findLocked(c, *in.StackName)
	if st == nil {
		return nil, nil, noStack(*in.StackName)
	}
	if in.ClientRequestToken != nil && st.Token == *in.ClientRequestToken {
		if st.Operation == "UpdateStack" {
			return st, nil, nil
		}
		// The code is AWS's, the words are ours.
		return nil, nil, wire.Errorf(codeToken, "The token %s was used by %s.", st.Token, st.Operation)
	}
	if err := s.mayUpdateLocked(st); err != nil {
		return nil, nil, err
	}
	return st, st.snapshotLocked(), nil
}

func (s *Store) mayUpdateLocked(st *stack) error {
	switch st.Status {
	case createComplete, updateComplete, updateRollbackComplete, updateFailed:
	case createFailed:
		if st.DisableRollback {
			break
		}
		fallthrough
	default:
		return invalid("Stack:%s is in %s state and can not be updated.", st.ID, st.Status)
	}
	if s.closed {
		return errClosed
	}
	return s.roomLocked(false)
}

// snapshot is what a stack is at a moment.
type snapshot struct {
	env       template.Env
	status    string
	resources map[string]*resource
	definition
}

func (st *stack) snapshotLocked() *snapshot {
	now := &snapshot{env: st.envLocked(), status: st.Status, resources: map[string]*resource{}, definition: st.definition}
	for id, r := range st.Resources {
		if r.there() {
			now.resources[id] = r
		}
	}
	return now
}

// lookup tells of the resources as they were.
func (now *snapshot) lookup(c awsapi.Caller) template.Lookup {
	return func(id, name string) (any, bool) {
		if r := now.resources[id]; r != nil {
			return attribute(&request{Caller: c, stack: now.env.StackName, r: r}, name)
		}
		return nil, false
	}
}

// plan is what a call makes of a stack, or of nothing.
type plan struct {
	definition
	template *template.Template
	changes  []template.Change
	differs  bool // from what the stack is
}

// plan checks what a call wants of a stack that is now so, nil for none, and finds what
// it would change.
func (s *Store) plan(ctx context.Context, in *deployment, env template.Env, now *snapshot) (*plan, error) {
	var was definition
	if now != nil {
		was = now.definition
	}
	d := was
	switch {
	case in.UsePreviousTemplate && in.given():
		// The rule is the API reference's, the words are ours.
		return nil, invalid("UsePreviousTemplate can't be specified together with a template.")
	case in.UsePreviousTemplate && now == nil:
		return nil, invalid("UsePreviousTemplate can't be specified: the stack has no template.")
	case !in.UsePreviousTemplate:
		body, err := s.read(ctx, &in.source)
		if err != nil {
			return nil, err
		}
		d.Template = body
	}
	t, err := parse(d.Template)
	if err != nil {
		return nil, err
	}
	if err := checkCapabilities(t, in.Capabilities); err != nil {
		return nil, err
	}
	given, err := in.parameters()
	if err != nil {
		return nil, err
	}
	if in.Tags != nil {
		d.Tags = tagsOf(in.Tags)
	}
	if in.NotificationARNs != nil {
		d.NotificationARNs = in.NotificationARNs
		env.NotificationARNs = in.NotificationARNs
	}
	if in.RoleARN != nil {
		d.RoleARN = *in.RoleARN
	}
	bound, err := t.Bind(env, given, was.Values)
	if err != nil {
		return nil, refusal(err)
	}
	d.Description, d.Capabilities, d.Values, d.Parameters = t.Description, in.Capabilities, bound.Values(), nil
	for _, p := range bound.Parameters() {
		d.Parameters = append(d.Parameters, parameter(p))
	}
	p := &plan{definition: d, template: t, differs: true}
	return p, p.compare(bound, now)
}

// compare finds what there is to change.
func (p *plan) compare(after *template.Bound, now *snapshot) error {
	if now == nil || now.Template == "" {
		for _, r := range after.Order() {
			p.changes = append(p.changes, template.Change{Action: "Add", Resource: r})
		}
		return nil
	}
	if now.status == createFailed || now.status == updateFailed {
		p.changes = roughly(after, now)
		return nil
	}
	before, err := bind(now.env, now.Template, now.Values)
	if err != nil {
		return err
	}
	c := awsapi.Caller{Account: now.env.Account, Region: now.env.Region}
	lookup := now.lookup(c)
	p.changes, err = template.Diff(before, after, lookup, func(c template.Change) bool {
		return slices.ContainsFunc(c.Properties, func(name string) bool { return slices.Contains(types[c.Resource.Type].createOnly, name) })
	})
	if err != nil {
		return refusal(err)
	}
	later := map[string]bool{}
	for _, c := range p.changes {
		later[c.Resource.ID] = c.Action == "Add" || c.Replaced
	}
	outputs, err := outputsOf(after, func(id, name string) (any, bool) {
		if later[id] {
			return template.KnownAfterApply, true
		}
		return lookup(id, name)
	})
	if err != nil {
		return refusal(err)
	}
	p.differs = len(p.changes) > 0 || !slices.Equal(outputs, now.Outputs) || !slices.Equal(p.Tags, now.Tags) ||
		!slices.Equal(p.NotificationARNs, now.NotificationARNs)
	return nil
}

// roughly is what there is to change of a stack that is between two templates.
func roughly(after *template.Bound, now *snapshot) (changes []template.Change) {
	for _, r := range after.Order() {
		c := template.Change{Action: "Add", Resource: r}
		if now.resources[r.ID] != nil {
			c.Action, c.Scope = "Modify", []string{"Properties"}
		}
		changes = append(changes, c)
	}
	return changes
}

// bind is what was bound before, once more.
func bind(env template.Env, body string, values map[string]string) (*template.Bound, error) {
	t, err := parse(body)
	if err != nil {
		return nil, err
	}
	given := map[string]template.Given{}
	for name, value := range values {
		given[name] = template.Given{Value: value}
	}
	b, err := t.Bind(env, given, nil)
	return b, refusal(err)
}

func outputsOf(b *template.Bound, lookup template.Lookup) ([]output, error) {
	values, err := b.Outputs(lookup)
	var list []output
	n := 0
	for _, v := range values {
		o := output{v.Key, v.Value, v.Description, v.Export}
		list = append(list, o)
		n += o.bytes()
	}
	if n > maxOutputs {
		return nil, invalid("The outputs take %d bytes, the local CloudFormation takes %d.", n, maxOutputs)
	}
	return list, err
}

// maxOutputs is about how many bytes the outputs of a stack may have.
const maxOutputs = 256 << 10

// probe evaluates everything with resources that might be, so that an attribute which a
// type has not is found before anything is made.
func probe(b *template.Bound, env template.Env) error {
	kinds := map[string]string{}
	for _, r := range b.Order() {
		kinds[r.ID] = r.Type
	}
	lookup := func(id, name string) (any, bool) {
		q := &request{Caller: awsapi.Caller{Account: env.Account, Region: env.Region}, stack: env.StackName}
		q.r = &resource{ID: id, Type: kinds[id], version: version{Properties: []byte("{}")}, Physical: uuid.NewString()}
		return attribute(q, name)
	}
	for _, r := range b.Order() {
		if _, err := b.Properties(r.ID, lookup); err != nil {
			return err
		}
	}
	_, err := b.Outputs(lookup)
	return err
}

func envOf(c awsapi.Caller, name, id string, topics []string) template.Env {
	return template.Env{Region: c.Region, Account: c.Account, StackName: name, StackID: id, NotificationARNs: topics}
}

// exportsLocked tells whether one of the outputs has the export name of another stack's.
func (s *Store) exportsLocked(st *stack, outputs []output) error {
	for _, other := range s.stacks {
		if other == st || other.Caller != st.Caller || !other.Deleted.IsZero() {
			continue
		}
		for _, o := range other.Outputs {
			if o.Export != "" && slices.ContainsFunc(outputs, func(mine output) bool { return mine.Export == o.Export }) {
				return reason("Export with name " + o.Export + " is already exported by stack " + other.Name)
			}
		}
	}
	return nil
}

func (s *Store) updateTerminationProtection(_ context.Context, c awsapi.Caller, in *struct {
	StackName                   *string
	EnableTerminationProtection *bool
},
) (any, error) {
	if err := checkNameOrID(in.StackName); err != nil {
		return nil, err
	}
	if in.EnableTerminationProtection == nil {
		return nil, violation(nil, "enableTerminationProtection", "not be null")
	}
	s.mu.Lock()
	st := s.findLocked(c, *in.StackName)
	if st == nil || !st.Deleted.IsZero() {
		s.mu.Unlock()
		return nil, noStack(*in.StackName)
	}
	st.Protected = *in.EnableTerminationProtection
	st.changes++
	s.mu.Unlock()
	return stackOutput{st.ID}, s.keep(st)
}
