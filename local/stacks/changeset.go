package stacks

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/local/stacks/template"
	"github.com/hydrant-go/hydrant/wire"
)

// CreateChangeSet, DescribeChangeSet, ListChangeSets, ExecuteChangeSet, DeleteChangeSet
//
// Kept: both types; a set of the type CREATE makes a stack that is REVIEW_IN_PROGRESS; a
// set without a change is FAILED, in the words that clients look for; with one that is
// executed the others go.
// Left out, and refused by name: imports, drift-aware sets. A set is complete when
// CreateChangeSet is answered. There are no nested stacks, so IncludeNestedStacks is only
// told again. Details of what causes a change are those of direct modifications.

const maxChangeSets = 100

// changeSet is a change set. It is never changed but for its Execution.
type changeSet struct {
	Name, ID, Description string
	Created               time.Time
	Type                  string // CREATE or UPDATE
	Status, Reason        string
	Execution             string // ExecutionStatus
	Nested                bool   // IncludeNestedStacks
	OnFailure             string `json:",omitempty"` // OnStackFailure
	Token                 string `json:",omitempty"` // ClientToken

	definition
	Changes []change
}

// change is a change as it travels.
type change struct {
	Type           string
	ResourceChange resourceChange
}

type resourceChange struct {
	Action             string
	LogicalResourceId  string
	PhysicalResourceId string `json:",omitempty"`
	ResourceType       string
	Replacement        string `json:",omitempty"`
	Scope              []string
	Details            []changeDetail
	PolicyAction       string `json:",omitempty"`
}

type changeDetail struct {
	Target       changeTarget
	Evaluation   string
	ChangeSource string
}

type changeTarget struct {
	Attribute          string
	Name               string `json:",omitempty"`
	RequiresRecreation string
}

// Statuses of change sets.
const (
	setFailed            = "FAILED"
	setUnavailable       = "UNAVAILABLE"
	setAvailable         = "AVAILABLE"
	setExecuted          = "EXECUTE_COMPLETE"
	withoutChanges       = "The submitted information didn't contain changes. Submit different information to create a change set."
	createSet, updateSet = "CREATE", "UPDATE"
)

var (
	setNameRE     = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]*$`)
	setNameOrIDRE = regexp.MustCompile(`^([a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/]*)$`)
)

type createChangeSetInput struct {
	deployment
	ChangeSetName, Description, ClientToken *string
	ChangeSetType                           string
	OnStackFailure                          string
	IncludeNestedStacks                     bool
	ImportExistingResources                 bool
	ResourcesToImport                       []struct{ ResourceType string }
	DeploymentMode                          string
}

type changeSetOutput struct{ Id, StackId string }

func (in *createChangeSetInput) check() error {
	if in.ChangeSetName == nil {
		return violation(nil, "changeSetName", "not be null")
	}
	for _, err := range []error{
		checkNameOrID(in.StackName),
		checkText("changeSetName", in.ChangeSetName, 1, 128, setNameRE),
		checkText("clientToken", in.ClientToken, 1, 128, nil),
		checkText("description", in.Description, 1, 1024, nil),
		checkOneOf("changeSetType", in.ChangeSetType, updateSet, createSet, "IMPORT"),
		checkOneOf("onStackFailure", in.OnStackFailure, nothing, rollback, drop),
	} {
		if err != nil {
			return err
		}
	}
	switch {
	case in.ChangeSetType == "IMPORT" || in.ResourcesToImport != nil || in.ImportExistingResources:
		return awsapi.NotImplemented("The local CloudFormation does not support importing resources.")
	case in.DeploymentMode != "":
		return awsapi.NotImplemented("The local CloudFormation does not support the DeploymentMode %s.", in.DeploymentMode)
	}
	return in.deployment.check()
}

func (s *Store) createChangeSet(ctx context.Context, c awsapi.Caller, in *createChangeSetInput) (any, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	st, now, err := s.toReview(c, in)
	if err != nil {
		return nil, err
	}
	env := envOf(c, nameOf(*in.StackName), newStackID(c, nameOf(*in.StackName)), in.NotificationARNs)
	if st != nil {
		s.mu.Lock()
		env = st.envLocked()
		s.mu.Unlock()
	}
	p, err := s.plan(ctx, &in.deployment, env, now)
	if err != nil {
		return nil, err
	}
	set := newChangeSet(c, in, p, now)
	st, set, err = s.addChangeSet(c, in, env.StackID, set)
	if err != nil {
		return nil, err
	}
	return changeSetOutput{set.ID, st.ID}, s.keep(st)
}

// toReview finds the stack of a change set that is to be, and what it is now. Both are
// nil for a new stack, the latter also for one that was never made.
func (s *Store) toReview(c awsapi.Caller, in *createChangeSetInput) (*stack, *snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.findLocked(c, *in.StackName)
	switch {
	case in.ChangeSetType == createSet && st != nil && st.Status != reviewInProgress:
		return nil, nil, invalid("Stack [%s] already exists and cannot be created again with the changeSet [%s].", *in.StackName, *in.ChangeSetName)
	case in.ChangeSetType == createSet && st == nil && strings.HasPrefix(*in.StackName, "arn:"):
		return nil, nil, noStack(*in.StackName)
	case in.ChangeSetType == createSet && st == nil:
		return nil, nil, checkNewName(in.StackName)
	case in.ChangeSetType == createSet:
		return st, nil, nil
	case st == nil:
		return nil, nil, noStack(*in.StackName)
	}
	if err := s.mayUpdateLocked(st); err != nil {
		return nil, nil, err
	}
	return st, st.snapshotLocked(), nil
}

func newChangeSet(c awsapi.Caller, in *createChangeSetInput, p *plan, was *snapshot) *changeSet {
	set := &changeSet{
		Name: *in.ChangeSetName, ID: c.ARN("cloudformation", "changeSet/"+*in.ChangeSetName+"/"+uuid.NewString()),
		Description: deref(in.Description), Created: now(), Type: updateSet, Status: createComplete, Execution: setAvailable,
		Nested: in.IncludeNestedStacks, OnFailure: in.OnStackFailure, Token: deref(in.ClientToken), definition: p.definition, Changes: []change{},
	}
	if in.ChangeSetType != "" {
		set.Type = in.ChangeSetType
	}
	for _, c := range p.changes {
		set.Changes = append(set.Changes, changeOf(c, was))
	}
	if !p.differs {
		set.Status, set.Reason, set.Execution = setFailed, withoutChanges, setUnavailable
	}
	return set
}

// changeOf words a change as AWS was seen to.
func changeOf(c template.Change, now *snapshot) change {
	r := resourceChange{
		Action: c.Action, LogicalResourceId: c.Resource.ID, ResourceType: c.Resource.Type, Scope: append([]string{}, c.Scope...), Details: []changeDetail{},
	}
	var was *resource
	if now != nil {
		was = now.resources[c.Resource.ID]
	}
	if was != nil {
		r.PhysicalResourceId = was.Physical
	}
	switch c.Action {
	case "Remove":
		r.PolicyAction = "Delete"
		if keeps(c.Resource.DeletionPolicy, false) {
			r.PolicyAction = "Retain"
		}
	case "Modify":
		r.Replacement = "False"
		if c.Replaced {
			r.Replacement, r.PolicyAction = "True", "ReplaceAndDelete"
			if keepsReplaced(was, c.Resource.UpdateReplacePolicy) {
				r.PolicyAction = "ReplaceAndRetain"
			}
		}
	}
	for _, name := range c.Properties {
		d := changeDetail{changeTarget{"Properties", name, "Never"}, "Static", "DirectModification"}
		if slices.Contains(types[c.Resource.Type].createOnly, name) {
			d.Target.RequiresRecreation = "Always"
		}
		r.Details = append(r.Details, d)
	}
	for _, scope := range c.Scope {
		if scope != "Properties" {
			r.Details = append(r.Details, changeDetail{changeTarget{scope, "", "Never"}, "Static", "DirectModification"})
		}
	}
	return change{"Resource", r}
}

// addChangeSet gives a stack a change set, which it may have from this very call already;
// a new stack, if need be.
func (s *Store) addChangeSet(c awsapi.Caller, in *createChangeSetInput, id string, set *changeSet) (*stack, *changeSet, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, errClosed
	}
	st := s.findLocked(c, *in.StackName)
	switch {
	case st == nil && set.Type == updateSet:
		return nil, nil, noStack(*in.StackName)
	case st != nil && set.Type == createSet && st.Status != reviewInProgress:
		return nil, nil, invalid("Stack [%s] already exists and cannot be created again with the changeSet [%s].", *in.StackName, set.Name)
	}
	if err := s.roomLocked(st == nil); err != nil {
		return nil, nil, err
	}
	if st == nil {
		st = s.newStackLocked(c, *in.StackName, id)
		st.statusLocked(reviewInProgress, userInitiated)
	}
	for _, other := range st.ChangeSets {
		switch {
		case other.Name != set.Name || other.Execution == setExecuted:
		case set.Token != "" && other.Token == set.Token:
			return st, other, nil
		default:
			return nil, nil, wire.Errorf(codeExists, "ChangeSet %s already exists", other.ID)
		}
	}
	if len(st.ChangeSets) >= maxChangeSets {
		// The code is AWS's, the words are ours.
		return nil, nil, wire.Errorf(codeLimit, "Stack [%s] has %d change sets, which is the limit.", st.Name, maxChangeSets)
	}
	st.ChangeSets = append(st.ChangeSets, set)
	st.changes++
	return st, set, nil
}

// changeSetLocked finds a change set and its stack.
func (s *Store) changeSetLocked(c awsapi.Caller, stackName, name *string) (*stack, *changeSet, error) {
	if name == nil {
		return nil, nil, violation(nil, "changeSetName", "not be null")
	}
	if err := checkText("changeSetName", name, 1, 1600, setNameOrIDRE); err != nil {
		return nil, nil, err
	}
	id := strings.HasPrefix(*name, "arn:")
	if stackName == nil {
		if !id {
			return nil, nil, invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")
		}
		for _, st := range s.allLocked(c) {
			if set := st.changeSetLocked(*name); set != nil {
				return st, set, nil
			}
		}
		return nil, nil, noChangeSet(*name)
	}
	if err := checkNameOrID(stackName); err != nil {
		return nil, nil, err
	}
	st := s.findLocked(c, *stackName)
	if st == nil {
		return nil, nil, noStack(*stackName)
	}
	set := st.changeSetLocked(*name)
	if set == nil {
		return st, nil, noChangeSet(*name)
	}
	return st, set, nil
}

func noChangeSet(name string) error {
	return &wire.Error{Status: 404, Code: codeNoChangeSet, Message: "ChangeSet [" + name + "] does not exist"}
}

// changeSetLocked finds a change set by its id, or by its name if it was not executed.
func (st *stack) changeSetLocked(nameOrID string) *changeSet {
	for _, set := range st.ChangeSets {
		if set.ID == nameOrID || set.Name == nameOrID && set.Execution != setExecuted {
			return set
		}
	}
	return nil
}

type changeSetSummary struct {
	StackId, StackName         string
	ChangeSetId, ChangeSetName string
	ExecutionStatus, Status    string
	StatusReason               string `json:",omitempty"`
	CreationTime               awsapi.Timestamp
	Description                string `json:",omitempty"`
	IncludeNestedStacks        bool
	OnStackFailure             string `json:",omitempty"`
}

func (st *stack) summaryLocked(set *changeSet) changeSetSummary {
	return changeSetSummary{
		StackId: st.ID, StackName: st.Name, ChangeSetId: set.ID, ChangeSetName: set.Name, ExecutionStatus: set.Execution, Status: set.Status,
		StatusReason: set.Reason, CreationTime: awsapi.Timestamp(set.Created), Description: set.Description, IncludeNestedStacks: set.Nested,
	}
}

type describeChangeSetOutput struct {
	changeSetSummary
	Parameters            []parameter `json:",omitempty"`
	NotificationARNs      []string
	RollbackConfiguration struct{}
	Capabilities          []string
	Tags                  []tag `json:",omitempty"`
	Changes               []change
	NextToken             string `json:",omitempty"`
}

type changeSetInput struct {
	StackName, ChangeSetName, NextToken, ClientRequestToken *string
	DisableRollback, RetainExceptOnCreate                   bool
}

func (s *Store) describeChangeSet(_ context.Context, c awsapi.Caller, in *changeSetInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, set, err := s.changeSetLocked(c, in.StackName, in.ChangeSetName)
	if err != nil {
		return nil, err
	}
	numbers := make([]int, len(set.Changes))
	for i := range numbers {
		numbers[i] = i
	}
	list, next, err := page(numbers, in.NextToken, func(i int) int { return i }, func(a, b int) bool { return a < b }, nil)
	if err != nil {
		return nil, err
	}
	out := describeChangeSetOutput{
		changeSetSummary: st.summaryLocked(set), Parameters: set.Parameters, NotificationARNs: set.NotificationARNs, Capabilities: set.Capabilities,
		Tags: set.Tags, Changes: []change{}, NextToken: next,
	}
	out.OnStackFailure = set.OnFailure
	for _, i := range list {
		out.Changes = append(out.Changes, set.Changes[i])
	}
	return out, nil
}

type listChangeSetsOutput struct {
	Summaries []changeSetSummary
	NextToken string `json:",omitempty"`
}

func (s *Store) listChangeSets(_ context.Context, c awsapi.Caller, in *struct{ StackName, NextToken *string }) (any, error) {
	if err := checkNameOrID(in.StackName); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.findLocked(c, *in.StackName)
	if st == nil {
		return nil, noStack(*in.StackName)
	}
	sets := slices.SortedFunc(slices.Values(st.ChangeSets), func(a, b *changeSet) int { return strings.Compare(a.ID, b.ID) })
	list, next, err := page(sets, in.NextToken, func(set *changeSet) string { return set.ID }, inOrder, nil)
	if err != nil {
		return nil, err
	}
	out := listChangeSetsOutput{Summaries: []changeSetSummary{}, NextToken: next}
	for _, set := range list {
		out.Summaries = append(out.Summaries, st.summaryLocked(set))
	}
	return out, nil
}

func (s *Store) deleteChangeSet(_ context.Context, c awsapi.Caller, in *changeSetInput) (any, error) {
	s.mu.Lock()
	st, set, err := s.changeSetLocked(c, in.StackName, in.ChangeSetName)
	if isCode(err, codeNoChangeSet) { // is no error, as with stacks
		s.mu.Unlock()
		return struct{}{}, nil
	}
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	st.ChangeSets = slices.DeleteFunc(slices.Clone(st.ChangeSets), func(other *changeSet) bool { return other == set })
	st.changes++
	s.mu.Unlock()
	return struct{}{}, s.keep(st)
}

func (s *Store) executeChangeSet(ctx context.Context, c awsapi.Caller, in *changeSetInput) (any, error) {
	if err := checkToken(in.ClientRequestToken); err != nil {
		return nil, err
	}
	st, err := s.execute(c, in)
	if err != nil {
		return nil, err
	}
	return struct{}{}, s.begun(ctx, st)
}

func (s *Store) execute(c awsapi.Caller, in *changeSetInput) (*stack, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, set, err := s.changeSetLocked(c, in.StackName, in.ChangeSetName)
	if err != nil {
		return nil, err
	}
	token := deref(in.ClientRequestToken)
	switch {
	case s.closed:
		return nil, errClosed
	case token != "" && st.Token == token && st.Operation == "ExecuteChangeSet":
		return st, nil
	case set.Status == setFailed:
		return nil, wire.Errorf(codeChangeSetStatus, "ChangeSet [%s] cannot be executed in its current status of [%s]", set.ID, set.Status)
	case set.Execution != setAvailable:
		return nil, wire.Errorf(codeChangeSetStatus, "ChangeSet [%s] cannot be executed in its current execution status of [%s]", set.ID, set.Execution)
	}
	if set.Type == updateSet {
		if err := s.mayUpdateLocked(st); err != nil {
			return nil, err
		}
	}
	executed := *set
	executed.Execution = setExecuted
	st.ChangeSets, st.ChangeSetID = []*changeSet{&executed}, set.ID
	st.RetainExceptOnCreate = in.RetainExceptOnCreate
	if set.Type == updateSet {
		st.DisableRollback = in.DisableRollback || set.OnFailure == nothing
		s.startUpdateLocked(st, set.definition, "ExecuteChangeSet", token)
		return st, nil
	}
	st.definition, st.Updated = set.definition, now() // AWS was seen to take it for an update
	st.Token, st.Operation = token, "ExecuteChangeSet"
	if set.OnFailure != "" {
		st.OnFailure = set.OnFailure
	}
	if in.DisableRollback {
		st.OnFailure, st.DisableRollback = nothing, true
	}
	st.statusLocked(createInProgress, userInitiated)
	s.driveLocked(st)
	return st, nil
}
