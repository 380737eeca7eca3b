package stacks

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/hydrant-go/hydrant/internal/awsapi"
	"github.com/hydrant-go/hydrant/local/stacks/template"
	"github.com/hydrant-go/hydrant/wire"
)

// Statuses of stacks; resources have most of them too.
const (
	reviewInProgress       = "REVIEW_IN_PROGRESS"
	createInProgress       = "CREATE_IN_PROGRESS"
	createFailed           = "CREATE_FAILED"
	createComplete         = "CREATE_COMPLETE"
	rollbackInProgress     = "ROLLBACK_IN_PROGRESS"
	rollbackFailed         = "ROLLBACK_FAILED"
	rollbackComplete       = "ROLLBACK_COMPLETE"
	deleteInProgress       = "DELETE_IN_PROGRESS"
	deleteFailed           = "DELETE_FAILED"
	deleteComplete         = "DELETE_COMPLETE"
	deleteSkipped          = "DELETE_SKIPPED" // of resources only
	updateInProgress       = "UPDATE_IN_PROGRESS"
	updateFailed           = "UPDATE_FAILED"
	updateCleanup          = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
	updateComplete         = "UPDATE_COMPLETE"
	updateRollback         = "UPDATE_ROLLBACK_IN_PROGRESS"
	updateRollbackFailed   = "UPDATE_ROLLBACK_FAILED"
	updateRollbackCleanup  = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
	updateRollbackComplete = "UPDATE_ROLLBACK_COMPLETE"
)

const (
	userInitiated = "User Initiated" // the reason of what a caller wants
	stackType     = "AWS::CloudFormation::Stack"

	// Policies that keep a resource.
	retain               = "Retain"
	retainExceptOnCreate = "RetainExceptOnCreate"

	// What a failed creation leads to, OnFailure.
	rollback = "ROLLBACK"
	nothing  = "DO_NOTHING"
	drop     = "DELETE"
)

const (
	// maxStacks is AWS's quota for an account in a region (user guide, understand
	// quotas); here it is for all.
	maxStacks = 2000
	// maxDeleted is how many deleted stacks are remembered, the youngest. AWS does it for
	// 90 days.
	maxDeleted = 100
	// maxEvents is how many events a stack has, the youngest: a few times what the
	// largest template makes, which has 500 resources.
	maxEvents = 5000
	// maxBytes is about how many bytes of templates, properties and events there are.
	maxBytes = 256 << 20
	// maxEventProperties is the longest text of properties that an event has.
	maxEventProperties = 4 << 10
)

// stack is a stack, and what is kept of it in its file. Its fields are guarded by the
// store's mu. What they point to is replaced, never changed, but for Resources,
// Before.Resources, Cleanup and Events themselves.
type stack struct {
	awsapi.Caller
	Name, ID                  string
	Created, Updated, Deleted time.Time // Updated, Deleted: zero is never
	Status, Reason            string

	definition           // in force, or coming into force
	Protected            bool
	OnFailure            string // what a failed creation leads to
	DisableRollback      bool   // of a failed update
	RetainExceptOnCreate bool

	Token, Operation string // of the last operation
	ChangeSetID      string // that was executed last
	ChangeSets       []*changeSet
	Resources        map[string]*resource // by logical id
	Retain, Skip     []string             // logical ids that a deletion, or a rollback, leaves alone
	Force            bool                 // a deletion goes on over what can't be deleted
	Before           *before              // what an update goes back to; nil when there is none
	Cleanup          []*leftover          // what an update has replaced or removed, or a rollback has made needless
	Events           []*event             // the oldest first
	LastEvent        int64                // its number

	eventBytes int
	turn       sync.Mutex              // held over the writing of the file; before mu
	kept       int                     // of changes, those that are in the file; guarded by turn
	changes    int                     // counted
	stop       context.CancelCauseFunc // of the phase under way; nil if nobody works on the stack
	rest       chan struct{}           // closed when nobody does any more; nil if nobody did
	forgotten  bool                    // the store has it no more
}

// definition is what a template, its parameters and what goes with them say.
type definition struct {
	Template         string
	Description      string
	Values           map[string]string // parameters, secrets too
	Parameters       []parameter       // as they are shown
	Tags             []tag
	Capabilities     []string
	NotificationARNs []string
	RoleARN          string
	Outputs          []output
}

type before struct {
	Definition definition
	Resources  map[string]*resource
}

type tag struct{ Key, Value string }

type parameter struct {
	Key   string `json:"ParameterKey"`
	Value string `json:"ParameterValue"`
}

type output struct {
	Key         string `json:"OutputKey"`
	Value       string `json:"OutputValue"`
	Description string `json:",omitempty"`
	Export      string `json:"ExportName,omitempty"`
}

// resource is a version of a resource. It is never changed: a change makes another.
type resource struct {
	ID, Type string
	// Physical is what Ref gives. Empty: nothing was made.
	Physical string
	// Made tells one making from another. Two may have the same Physical: log streams of
	// two groups, say.
	Made           string
	Status, Reason string
	Updated        time.Time
	version
	// Maybe is what it may be instead: what it was before an update that is not done.
	Maybe               []version `json:",omitempty"`
	Metadata            any       `json:",omitempty"`
	Needs               []string  // logical ids of those that it can't do without
	DeletionPolicy      string    `json:",omitempty"`
	UpdateReplacePolicy string    `json:",omitempty"`
}

// version is what a resource is.
type version struct {
	Properties json.RawMessage // evaluated, an object
	Tags       []tag           `json:",omitempty"` // of the stack, if the type has tags
}

// leftover is a resource that is to be removed, or kept by its policy.
type leftover struct {
	Resource *resource
	Keep     bool
}

// event tells of a change of status, of the stack or of a resource.
type event struct {
	Number         int64
	EventID        string
	Time           time.Time
	Logical        string
	Physical, Type string
	Status, Reason string
	Properties     string `json:",omitempty"`
	Token          string `json:",omitempty"`
}

// there tells whether something was made that was not removed since.
func (r *resource) there() bool {
	return r != nil && r.Physical != "" && r.Status != deleteComplete && r.Status != deleteSkipped
}

// done tells whether a resource is what its properties say: nothing has failed, or was
// begun and not finished.
func (r *resource) done() bool { return strings.HasSuffix(r.Status, "_COMPLETE") }

// properties reads the properties: numbers are json.Numbers.
func (v version) properties() map[string]any {
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(v.Properties))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		panic("stacks: properties that were JSON are not: " + err.Error())
	}
	return m
}

// same tells whether two versions are no different.
func (v version) same(other version) bool {
	return slices.Equal(v.Tags, other.Tags) && template.Equal(v.properties(), other.properties())
}

// maxMaybe is how many versions a resource may be whose updates fail again and again.
const maxMaybe = 8

// versions are all that a resource may be: what it is if it is done.
func (r *resource) versions() []version {
	if r.done() {
		return []version{r.version}
	}
	all := slices.Clone(r.Maybe)
	if !slices.ContainsFunc(all, r.version.same) {
		all = append(all, r.version)
	}
	return all[max(0, len(all)-maxMaybe):]
}

// with is r with another status, as of now.
func (r *resource) with(status, reason string) *resource {
	next := *r
	next.Status, next.Reason, next.Updated = status, reason, now()
	return &next
}

func (s *Store) newStackLocked(c awsapi.Caller, name, id string) *stack {
	st := &stack{Caller: c, Name: name, ID: id, Created: now(), OnFailure: rollback, Resources: map[string]*resource{}}
	s.stacks[id], s.names[stackKey{c, name}] = st, st
	return st
}

func newStackID(c awsapi.Caller, name string) string {
	return c.ARN("cloudformation", "stack/"+name+"/"+uuid.NewString())
}

// statusLocked gives the stack a status, and an event that tells so.
func (st *stack) statusLocked(status, reason string) {
	st.Status, st.Reason = status, reason
	st.eventLocked(&event{EventID: uuid.NewString(), Logical: st.Name, Physical: st.ID, Type: stackType, Status: status, Reason: reason})
}

// noteLocked adds an event that tells of a resource.
func (st *stack) noteLocked(r *resource) {
	e := &event{Logical: r.ID, Physical: r.Physical, Type: r.Type, Status: r.Status, Reason: r.Reason}
	if len(r.Properties) <= maxEventProperties {
		e.Properties = string(r.Properties)
	}
	st.eventLocked(e)
}

func (st *stack) eventLocked(e *event) {
	st.LastEvent++
	e.Number, e.Time, e.Token = st.LastEvent, now(), st.Token
	// No two have the same time, by which clients order them and their ids are made.
	if n := len(st.Events); n > 0 && !e.Time.After(st.Events[n-1].Time) {
		e.Time = st.Events[n-1].Time.Add(time.Millisecond)
	}
	if e.EventID == "" {
		e.EventID = fmt.Sprintf("%s-%s-%s", e.Logical, e.Status, e.Time.Format("2006-01-02T15:04:05.000Z"))
	}
	st.Events = append(st.Events, e)
	st.eventBytes += e.bytes()
	if len(st.Events) > maxEvents {
		for _, old := range st.Events[:len(st.Events)-maxEvents] {
			st.eventBytes -= old.bytes()
		}
		st.Events = slices.Clone(st.Events[len(st.Events)-maxEvents:])
	}
	st.changes++
}

// bytes is about what an event takes.
func (e *event) bytes() int { return 400 + len(e.Properties) + len(e.Reason) }

// bytes is about what a definition takes.
func (d *definition) bytes() int {
	n := 1024 + len(d.Template) + len(d.Description)
	for _, value := range d.Values {
		n += 2*len(value) + 128
	}
	for _, o := range d.Outputs {
		n += o.bytes()
	}
	return n
}

func (o output) bytes() int { return 128 + len(o.Value) + len(o.Description) + len(o.Export) }

// bytesLocked is about what a stack takes.
func (st *stack) bytesLocked() int {
	n := 4096 + st.definition.bytes() + st.eventBytes
	for _, set := range st.ChangeSets {
		n += 1024 + set.definition.bytes() + 512*len(set.Changes)
	}
	for _, r := range st.Resources {
		n += 1024 + len(r.Properties)
		for _, v := range r.Maybe {
			n += len(v.Properties)
		}
	}
	if st.Before != nil {
		n += st.Before.Definition.bytes()
		for _, r := range st.Before.Resources {
			n += len(r.Properties)
		}
	}
	return n
}

// roomLocked tells whether there is room for more of stacks.
func (s *Store) roomLocked(newStack bool) error {
	n := 0
	for _, st := range s.stacks {
		n += st.bytesLocked()
	}
	switch {
	// The code is AWS's, the words are ours.
	case newStack && len(s.names) >= maxStacks:
		return wire.Errorf(codeLimit, "There are %d stacks, which is the limit. Delete some.", maxStacks)
	case n > maxBytes:
		return wire.Errorf(codeLimit, "The stacks take more than %d MiB, which is the limit. Delete some.", maxBytes>>20)
	}
	return nil
}

// inProgress tells whether somebody works on a stack of this status, or is to.
func inProgress(status string) bool {
	return strings.HasSuffix(status, "_IN_PROGRESS") && status != reviewInProgress
}

// nameOf is the stack's name in an id, or what was given.
func nameOf(nameOrID string) string {
	if parts := strings.Split(nameOrID, "/"); strings.HasPrefix(nameOrID, "arn:") && len(parts) > 1 {
		return parts[1]
	}
	return nameOrID
}

// findLocked finds a stack by its name, if it is not deleted, or by its id.
func (s *Store) findLocked(c awsapi.Caller, nameOrID string) *stack {
	st := s.names[stackKey{c, nameOrID}]
	if strings.HasPrefix(nameOrID, "arn:") {
		st = s.stacks[nameOrID]
	}
	if st == nil || st.Caller != c {
		return nil
	}
	return st
}

// endLocked makes the stack a deleted one, of which the oldest are forgotten.
func (s *Store) endLocked(st *stack) (forgotten []*stack) {
	st.Deleted, st.ChangeSets, st.Before, st.Cleanup = now(), nil, nil, nil
	if s.names[st.key()] == st {
		delete(s.names, st.key())
	}
	var deleted []*stack
	for _, st := range s.stacks {
		if !st.Deleted.IsZero() {
			deleted = append(deleted, st)
		}
	}
	slices.SortFunc(deleted, func(a, b *stack) int { return a.Deleted.Compare(b.Deleted) })
	for len(deleted) > maxDeleted {
		s.forgetLocked(deleted[0])
		forgotten, deleted = append(forgotten, deleted[0]), deleted[1:]
	}
	return forgotten
}

// forgetLocked takes a stack out of the store, and stops the work on it.
func (s *Store) forgetLocked(st *stack) {
	st.forgotten = true
	delete(s.stacks, st.ID)
	if s.names[st.key()] == st {
		delete(s.names, st.key())
	}
	if st.stop != nil {
		st.stop(errStopped)
	}
}

// envLocked is what the stack's template is evaluated in.
func (st *stack) envLocked() template.Env {
	return template.Env{Region: st.Region, Account: st.Account, StackName: st.Name, StackID: st.ID, NotificationARNs: st.NotificationARNs}
}

func (st *stack) key() stackKey { return stackKey{st.Caller, st.Name} }

// allLocked are the stacks of a caller, the youngest first.
func (s *Store) allLocked(c awsapi.Caller) []*stack {
	var list []*stack
	for _, st := range s.stacks {
		if st.Caller == c {
			list = append(list, st)
		}
	}
	slices.SortFunc(list, func(a, b *stack) int {
		return cmp.Or(b.Created.Compare(a.Created), strings.Compare(a.ID, b.ID))
	})
	return list
}

// sortedLocked are a stack's resources by logical id.
func (st *stack) sortedLocked() []*resource {
	list := make([]*resource, 0, len(st.Resources))
	for _, id := range slices.Sorted(maps.Keys(st.Resources)) {
		list = append(list, st.Resources[id])
	}
	return list
}
