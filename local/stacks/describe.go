package stacks

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hydrant-go/hydrant/internal/awsapi"
)

// DescribeStacks, ListStacks, DescribeStackEvents, DescribeStackResource(s),
// ListStackResources, ListExports
//
// Kept: pages of 100; deleted stacks by their id, the last 100 of them; the members that
// AWS was seen to send, and those that it was seen to leave out.
// Left out: drift is NOT_CHECKED; filters are all that ListStacks has.

type driftInformation struct {
	StackDriftStatus         string `json:",omitempty"`
	StackResourceDriftStatus string `json:",omitempty"`
}

var notChecked = driftInformation{StackDriftStatus: "NOT_CHECKED"}

type describedStack struct {
	StackId, StackName          string
	ChangeSetId                 string           `json:",omitempty"`
	Description                 string           `json:",omitempty"`
	Parameters                  []parameter      `json:",omitempty"`
	CreationTime                awsapi.Timestamp // to the millisecond, as all times
	DeletionTime                awsapi.Timestamp `json:",omitempty"`
	LastUpdatedTime             awsapi.Timestamp `json:",omitempty"`
	RollbackConfiguration       struct{}
	StackStatus                 string
	StackStatusReason           string `json:",omitempty"`
	DisableRollback             bool
	NotificationARNs            []string
	Capabilities                []string `json:",omitempty"`
	Outputs                     []output `json:",omitempty"`
	RoleARN                     string   `json:",omitempty"`
	Tags                        []tag
	EnableTerminationProtection *bool
	DriftInformation            driftInformation
	RetainExceptOnCreate        bool   `json:",omitempty"`
	DeletionMode                string `json:",omitempty"`
}

func (st *stack) describeLocked() describedStack {
	d := describedStack{
		StackId: st.ID, StackName: st.Name, Description: st.Description, Parameters: st.Parameters,
		CreationTime: awsapi.Timestamp(st.Created), DeletionTime: awsapi.Timestamp(st.Deleted), LastUpdatedTime: awsapi.Timestamp(st.Updated),
		StackStatus: st.Status, StackStatusReason: st.Reason, DisableRollback: st.DisableRollback, NotificationARNs: st.NotificationARNs,
		Capabilities: st.Capabilities, Outputs: st.Outputs, RoleARN: st.RoleARN, Tags: st.Tags, DriftInformation: notChecked,
		RetainExceptOnCreate: st.RetainExceptOnCreate,
	}
	if st.Force {
		d.DeletionMode = force
	}
	if st.Status != deleteComplete {
		d.ChangeSetId, d.EnableTerminationProtection = st.ChangeSetID, new(st.Protected)
	}
	return d
}

// stackPlace is a stack's place in lists: the youngest is the first.
type stackPlace struct {
	Created time.Time
	ID      string
}

func placeOf(st *stack) stackPlace { return stackPlace{st.Created, st.ID} }

func (p stackPlace) before(other stackPlace) bool {
	if c := p.Created.Compare(other.Created); c != 0 {
		return c > 0
	}
	return p.ID < other.ID
}

// shownBytes is about what DescribeStacks tells of a stack. The store's mu is held.
func (st *stack) shownBytes() int { return st.definition.bytes() - len(st.Template) }

type describeStacksOutput struct {
	Stacks    []describedStack
	NextToken string `json:",omitempty"`
}

func (s *Store) describeStacks(_ context.Context, c awsapi.Caller, in *struct{ StackName, NextToken *string }) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.StackName != nil && *in.StackName != "" {
		if err := checkNameOrID(in.StackName); err != nil {
			return nil, err
		}
		st := s.findLocked(c, *in.StackName)
		if st == nil {
			return nil, missing(*in.StackName)
		}
		return describeStacksOutput{Stacks: []describedStack{st.describeLocked()}}, nil
	}
	all := slices.DeleteFunc(s.allLocked(c), func(st *stack) bool { return !st.Deleted.IsZero() })
	list, next, err := page(all, in.NextToken, placeOf, stackPlace.before, (*stack).shownBytes)
	if err != nil {
		return nil, err
	}
	out := describeStacksOutput{Stacks: []describedStack{}, NextToken: next}
	for _, st := range list {
		out.Stacks = append(out.Stacks, st.describeLocked())
	}
	return out, nil
}

// missing is what who looks at a stack is told where there is none, noStack what others are.
func missing(name string) error { return invalid("Stack with id %s does not exist", name) }

func noStack(name string) error { return invalid("Stack [%s] does not exist", name) }

type stackSummary struct {
	StackId, StackName  string
	TemplateDescription string `json:",omitempty"`
	CreationTime        awsapi.Timestamp
	LastUpdatedTime     awsapi.Timestamp `json:",omitempty"`
	DeletionTime        awsapi.Timestamp `json:",omitempty"`
	StackStatus         string
	StackStatusReason   string `json:",omitempty"`
	DriftInformation    driftInformation
}

type listStacksOutput struct {
	StackSummaries []stackSummary
	NextToken      string `json:",omitempty"`
}

func (s *Store) listStacks(_ context.Context, c awsapi.Caller, in *struct {
	NextToken         *string
	StackStatusFilter []string
},
) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.DeleteFunc(s.allLocked(c), func(st *stack) bool {
		return len(in.StackStatusFilter) > 0 && !slices.Contains(in.StackStatusFilter, st.Status)
	})
	list, next, err := page(all, in.NextToken, placeOf, stackPlace.before, nil)
	if err != nil {
		return nil, err
	}
	out := listStacksOutput{StackSummaries: []stackSummary{}, NextToken: next}
	for _, st := range list {
		out.StackSummaries = append(out.StackSummaries, stackSummary{
			StackId: st.ID, StackName: st.Name, TemplateDescription: st.Description,
			CreationTime: awsapi.Timestamp(st.Created), LastUpdatedTime: awsapi.Timestamp(st.Updated), DeletionTime: awsapi.Timestamp(st.Deleted),
			StackStatus: st.Status, StackStatusReason: st.Reason, DriftInformation: notChecked,
		})
	}
	return out, nil
}

type stackEvent struct {
	StackId, EventId, StackName           string
	LogicalResourceId, PhysicalResourceId string
	ResourceType                          string
	Timestamp                             awsapi.Timestamp
	ResourceStatus                        string
	ResourceStatusReason                  string `json:",omitempty"`
	ResourceProperties                    string `json:",omitempty"`
	ClientRequestToken                    string `json:",omitempty"`
}

type describeStackEventsOutput struct {
	StackEvents []stackEvent
	NextToken   string `json:",omitempty"`
}

func (s *Store) describeStackEvents(_ context.Context, c awsapi.Caller, in *struct{ StackName, NextToken *string }) (any, error) {
	if err := checkNameOrID(in.StackName); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.findLocked(c, *in.StackName)
	if st == nil {
		return nil, noStack(*in.StackName)
	}
	events := slices.Clone(st.Events)
	slices.Reverse(events)
	list, next, err := page(events, in.NextToken, func(e *event) int64 { return e.Number }, func(a, b int64) bool { return a > b }, nil)
	if err != nil {
		return nil, err
	}
	out := describeStackEventsOutput{StackEvents: []stackEvent{}, NextToken: next}
	for _, e := range list {
		out.StackEvents = append(out.StackEvents, stackEvent{
			StackId: st.ID, EventId: e.EventID, StackName: st.Name, LogicalResourceId: e.Logical, PhysicalResourceId: e.Physical,
			ResourceType: e.Type, Timestamp: awsapi.Timestamp(e.Time), ResourceStatus: e.Status, ResourceStatusReason: e.Reason,
			ResourceProperties: e.Properties, ClientRequestToken: e.Token,
		})
	}
	return out, nil
}

// describedResource is a resource as the three calls that tell of them have it: each
// leaves some of the members out.
type describedResource struct {
	StackName            string `json:",omitempty"`
	StackId              string `json:",omitempty"`
	LogicalResourceId    string
	PhysicalResourceId   string `json:",omitempty"`
	ResourceType         string
	Timestamp            awsapi.Timestamp `json:",omitempty"`
	LastUpdatedTimestamp awsapi.Timestamp `json:",omitempty"`
	ResourceStatus       string
	ResourceStatusReason string `json:",omitempty"`
	Metadata             string `json:",omitempty"`
	DriftInformation     driftInformation
}

func (r *resource) describe() describedResource {
	return describedResource{
		LogicalResourceId: r.ID, PhysicalResourceId: r.Physical, ResourceType: r.Type,
		ResourceStatus: r.Status, ResourceStatusReason: r.Reason, DriftInformation: driftInformation{StackResourceDriftStatus: "NOT_CHECKED"},
	}
}

func (s *Store) describeStackResources(_ context.Context, c awsapi.Caller, in *struct {
	StackName, LogicalResourceId, PhysicalResourceId *string
},
) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.stackOfLocked(c, in.StackName, in.PhysicalResourceId)
	if err != nil {
		return nil, err
	}
	out := struct{ StackResources []describedResource }{[]describedResource{}}
	for _, r := range st.sortedLocked() {
		if in.LogicalResourceId != nil && *in.LogicalResourceId != r.ID {
			continue
		}
		d := r.describe()
		d.StackName, d.StackId, d.Timestamp = st.Name, st.ID, awsapi.Timestamp(r.Updated)
		out.StackResources = append(out.StackResources, d)
	}
	if in.LogicalResourceId != nil && len(out.StackResources) == 0 {
		return nil, invalid("Resource %s does not exist for stack %s", *in.LogicalResourceId, st.Name)
	}
	return out, nil
}

// stackOfLocked finds a stack by its name or id, or by a resource of it.
func (s *Store) stackOfLocked(c awsapi.Caller, name, physical *string) (*stack, error) {
	switch {
	case name != nil && physical != nil: // the rule is the API reference's, the words are ours
		return nil, invalid("You must specify either StackName or PhysicalResourceId, but not both.")
	case name != nil:
		if err := checkNameOrID(name); err != nil {
			return nil, err
		}
		if st := s.findLocked(c, *name); st != nil {
			return st, nil
		}
		return nil, missing(*name)
	case physical == nil:
		return nil, violation(nil, "stackName", "not be null")
	}
	for _, st := range s.allLocked(c) {
		for _, r := range st.Resources {
			if r.there() && r.Physical == *physical {
				return st, nil
			}
		}
	}
	return nil, invalid("Stack for %s does not exist", *physical)
}

func (s *Store) describeStackResource(_ context.Context, c awsapi.Caller, in *struct{ StackName, LogicalResourceId *string }) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.stackOfLocked(c, in.StackName, nil)
	switch {
	case err != nil:
		return nil, err
	case in.LogicalResourceId == nil:
		return nil, violation(nil, "logicalResourceId", "not be null")
	}
	r := st.Resources[*in.LogicalResourceId]
	if r == nil {
		return nil, invalid("Resource %s does not exist for stack %s", *in.LogicalResourceId, *in.StackName)
	}
	d := r.describe()
	d.StackName, d.StackId, d.LastUpdatedTimestamp = st.Name, st.ID, awsapi.Timestamp(r.Updated)
	d.Metadata = "{}"
	if r.Metadata != nil {
		text, err := json.Marshal(r.Metadata)
		if err != nil {
			return nil, err
		}
		d.Metadata = string(text)
	}
	return struct{ StackResourceDetail describedResource }{d}, nil
}

type listStackResourcesOutput struct {
	StackResourceSummaries []describedResource
	NextToken              string `json:",omitempty"`
}

func (s *Store) listStackResources(_ context.Context, c awsapi.Caller, in *struct{ StackName, NextToken *string }) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.stackOfLocked(c, in.StackName, nil)
	if err != nil {
		return nil, err
	}
	list, next, err := page(st.sortedLocked(), in.NextToken, func(r *resource) string { return r.ID }, inOrder, nil)
	if err != nil {
		return nil, err
	}
	out := listStackResourcesOutput{StackResourceSummaries: []describedResource{}, NextToken: next}
	for _, r := range list {
		d := r.describe()
		d.LastUpdatedTimestamp = awsapi.Timestamp(r.Updated)
		out.StackResourceSummaries = append(out.StackResourceSummaries, d)
	}
	return out, nil
}

type export struct{ ExportingStackId, Name, Value string }

type listExportsOutput struct {
	Exports   []export
	NextToken string `json:",omitempty"`
}

func (s *Store) listExports(_ context.Context, c awsapi.Caller, in *struct{ NextToken *string }) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]export{}
	for _, st := range s.allLocked(c) {
		for _, o := range st.Outputs {
			if o.Export != "" && st.Deleted.IsZero() {
				all[o.Export] = export{st.ID, o.Export, o.Value}
			}
		}
	}
	sorted := slices.SortedFunc(maps.Values(all), func(a, b export) int { return strings.Compare(a.Name, b.Name) })
	list, next, err := page(sorted, in.NextToken, func(e export) string { return e.Name }, inOrder, nil)
	if err != nil {
		return nil, err
	}
	return listExportsOutput{append([]export{}, list...), next}, nil
}
