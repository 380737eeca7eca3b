package stacks

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/hydrant-go/hydrant/local/stacks/template"
)

// The work on a stack goes by phases, one for each status in which something is to be
// done. A phase ends by giving the stack the next status, unless another has been given
// to it meanwhile: DeleteStack and CancelUpdateStack do that, and end the phase by its
// context.

// phases are what is done in a status.
var phases = map[string]func(*Store, context.Context, *stack){
	createInProgress:      (*Store).apply,
	rollbackInProgress:    (*Store).takeBack,
	deleteInProgress:      (*Store).remove,
	updateInProgress:      (*Store).apply,
	updateCleanup:         (*Store).clean,
	updateRollback:        (*Store).revert,
	updateRollbackCleanup: (*Store).clean,
}

// driveLocked has the stack's goroutine begin, if there is work and it does not run.
func (s *Store) driveLocked(st *stack) {
	if s.closed || st.forgotten || st.stop != nil || !inProgress(st.Status) {
		return
	}
	st.stop, st.rest = func(error) {}, make(chan struct{})
	s.done.Go(func() { s.drive(st) })
}

// patience is how long the call that has begun an operation waits for its end. Clients
// look for it at once, and then only every 30 seconds (AWS CLI): without that a stack that
// is done in a moment takes half a minute.
const patience = 250 * time.Millisecond

// begun answers for an operation that has begun: once it is written down, and done if that
// takes no longer than patience.
func (s *Store) begun(ctx context.Context, st *stack) error {
	if err := s.keep(st); err != nil {
		return err
	}
	s.mu.Lock()
	rest := st.rest
	s.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-rest:
	case <-timer.C:
	case <-ctx.Done(): // nobody waits for the answer
	}
	return nil
}

// drive is the stack's goroutine. It writes the stack down before each phase, of which a
// crash may leave nothing else, and at the end.
func (s *Store) drive(st *stack) {
	for {
		s.keepOrLog(st)
		s.mu.Lock()
		if s.work.Err() != nil || st.forgotten || !inProgress(st.Status) {
			st.stop = nil
			close(st.rest)
			s.mu.Unlock()
			return
		}
		phase := phases[st.Status]
		ctx, stop := context.WithCancelCause(s.work)
		st.stop = stop
		s.mu.Unlock()
		phase(s, ctx, st)
		stop(nil)
	}
}

// stopped tells whether a phase is to leave everything as it is.
func stopped(ctx context.Context) bool { return context.Cause(ctx) == errStopped }

// errSuperseded is why a phase ends when the stack has got another status.
var errSuperseded = errors.New("the operation on the stack was cancelled")

// apply makes the resources what the stack's template says.
func (s *Store) apply(ctx context.Context, st *stack) {
	s.mu.Lock()
	env, def := st.envLocked(), st.definition
	s.mu.Unlock()
	bound, err := bind(env, def.Template, def.Values)
	if err == nil {
		err = probe(bound, env)
	}
	var outputs []output
	reason := ""
	if err == nil {
		reason = s.makeAll(ctx, st, bound)
		if reason == "" && ctx.Err() == nil {
			outputs, err = outputsOf(bound, s.lookup(st))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return // who ended it has said what follows
	}
	if err == nil {
		err = s.exportsLocked(st, outputs)
	}
	if err != nil {
		reason = strings.TrimSuffix(message(err), ".") + ". "
	}
	if reason != "" {
		st.failLocked(reason)
		return
	}
	st.Outputs = outputs
	if st.Status == createInProgress {
		st.statusLocked(createComplete, "")
		return
	}
	st.leaveLocked(bound)
	st.statusLocked(updateCleanup, "")
}

// failLocked ends a creation or an update that has failed.
func (st *stack) failLocked(reason string) {
	switch {
	case st.Status == updateInProgress && st.DisableRollback:
		st.statusLocked(updateFailed, reason)
	case st.Status == updateInProgress:
		st.statusLocked(updateRollback, reason)
	case st.OnFailure == nothing:
		st.statusLocked(createFailed, reason)
	case st.OnFailure == drop:
		st.statusLocked(deleteInProgress, reason+"Delete requested by user.")
	default:
		st.statusLocked(rollbackInProgress, reason+"Rollback requested by user.")
	}
}

// interruptedLocked ends a creation or an update that was under way when the process
// ended as one that has failed. All else can go on where it was.
func (st *stack) interruptedLocked() {
	if st.Status != createInProgress && st.Status != updateInProgress {
		return
	}
	for _, r := range st.sortedLocked() {
		switch r.Status {
		case createInProgress:
			st.putLocked(r.with(createFailed, createCancelled))
		case updateInProgress:
			st.putLocked(r.with(updateFailed, updateCancelled))
		}
	}
	st.failLocked("The local CloudFormation was stopped meanwhile. ")
}

// makeAll makes all resources, those that don't need one another at once. It returns
// what the stack is told when some fail, or "".
func (s *Store) makeAll(ctx context.Context, st *stack, b *template.Bound) (reason string) {
	order := b.Order()
	at := map[string]int{}
	for i, r := range order {
		at[r.ID] = i
	}
	needs := make([][]int, len(order))
	for i, r := range order {
		for _, id := range b.Needs(r.ID) {
			needs[i] = append(needs[i], at[id])
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	failed := walk(ctx, needs, func(i int) error {
		err := s.makeOne(ctx, st, b, order[i])
		if err != nil {
			cancel(errSuperseded) // the others are cancelled, as with AWS
		}
		return err
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	var created, updated []string
	for i := range failed {
		id := order[i].ID
		if r := st.Resources[id]; r != nil && r.Status == updateFailed {
			updated = append(updated, id)
		} else {
			created = append(created, id)
		}
	}
	return failure("create", created) + failure("update", updated)
}

// failure says which resources have failed, in AWS's words.
func failure(what string, ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	slices.Sort(ids)
	return fmt.Sprintf("The following resource(s) failed to %s: [%s]. ", what, strings.Join(ids, ", "))
}

// atOnce is how many resources of a stack are worked on at the same time. AWS's figure
// is not known.
const atOnce = 16

// walk has do run for every i of needs once it has for all of needs[i], many at the same
// time, and waits for all of them. What needs one that has failed is left out, and so is
// everything that has not begun when ctx ends. It returns the errors by i.
func walk(ctx context.Context, needs [][]int, do func(i int) error) map[int]error {
	type result struct {
		i   int
		err error
	}
	failed, done := map[int]error{}, make([]bool, len(needs))
	begun, results, running := make([]bool, len(needs)), make(chan result), 0
	for {
		for i := range needs {
			if begun[i] || running == atOnce || ctx.Err() != nil || slices.ContainsFunc(needs[i], func(n int) bool { return !done[n] }) {
				continue
			}
			begun[i] = true
			running++
			go func() { results <- result{i, do(i)} }()
		}
		if running == 0 {
			return failed
		}
		r := <-results
		running--
		if r.err != nil {
			failed[r.i] = r.err
			continue
		}
		done[r.i] = true
	}
}

// What cancelled resources are told, in AWS's words.
const (
	createCancelled = "Resource creation cancelled"
	updateCancelled = "Resource update cancelled"
	replacing       = "Requested update requires the creation of a new physical resource; hence creating one."
	initiated       = "Resource creation Initiated"
)

// makeOne makes one resource what the template says: it is created, replaced, updated
// or left as it is.
func (s *Store) makeOne(ctx context.Context, st *stack, b *template.Bound, r *template.Resource) error {
	s.mu.Lock()
	now, tags := st.Resources[r.ID], st.Tags
	s.mu.Unlock()
	next, err := evaluate(b, r, s.lookup(st), tags)
	t := types[r.Type]
	switch {
	case !now.there():
		return s.create(ctx, st, t, next, nil, err)
	case err != nil:
		return s.tell(ctx, st, now.with(updateFailed, ""), err)
	case now.done() && now.same(next.version):
		next.Physical, next.Made = now.Physical, now.Made
		s.put(st, next.with(now.Status, now.Reason), false)
		return nil
	case t.replaces(now, next):
		return s.create(ctx, st, t, next, now, nil)
	}
	return s.update(ctx, st, t, next, now)
}

// create makes a resource, in place of old if that is not nil. What has failed already
// is told in its place.
func (s *Store) create(ctx context.Context, st *stack, t *kind, next, old *resource, err error) error {
	begin, fail, complete := createInProgress, createFailed, createComplete
	if old != nil {
		begin, fail, complete = updateInProgress, updateFailed, updateComplete
		s.put(st, old.with(begin, replacing), true)
	} else {
		s.put(st, next.with(begin, ""), true)
	}
	q := &request{Caller: st.Caller, stack: st.Name, r: next}
	var left *leftover
	if err == nil {
		next.Physical, next.Made = t.newID(q), rand.Text()
		left, err = s.begin(ctx, st, t, q, old, begin)
	}
	if err == nil {
		err = t.create(ctx, s, q)
	}
	switch {
	case stopped(ctx) && err != nil:
		return err // what is written down is right, whatever was made
	case err != nil: // nothing was made
		s.keepReplaced(st, left)
		next.Physical, next.Made = "", ""
		if old != nil {
			next = old
		}
		return s.tell(ctx, st, next.with(fail, ""), err)
	}
	s.put(st, next.with(begin, initiated), true)
	if err := t.settle(ctx, s, q); err != nil {
		return s.tell(ctx, st, next.with(fail, ""), err)
	}
	s.put(st, next.with(complete, ""), true)
	return nil
}

// begin writes down what is to be made, so that it is removed if the process ends before
// its time. It must not be there already, for it would be removed, too. It returns what
// becomes of old, if that is to be removed.
func (s *Store) begin(ctx context.Context, st *stack, t *kind, q *request, old *resource, status string) (*leftover, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	there, err := t.exists(ctx, s, q)
	if err != nil {
		return nil, err
	}
	if there {
		return nil, reason(fmt.Sprintf("Resource of type '%s' with identifier '%s' already exists.", q.r.Type, q.r.Physical))
	}
	s.mu.Lock()
	left := st.replacedLocked(old)
	st.Resources[q.r.ID] = q.r.with(status, "")
	st.changes++
	s.mu.Unlock()
	if t.recorded {
		return left, nil
	}
	return left, s.keep(st)
}

// update changes a resource in place.
func (s *Store) update(ctx context.Context, st *stack, t *kind, next, old *resource) error {
	next.Physical, next.Made, next.Maybe = old.Physical, old.Made, old.versions()
	s.put(st, next.with(updateInProgress, ""), true)
	q := &request{Caller: st.Caller, stack: st.Name, r: next, was: next.Maybe}
	err := context.Cause(ctx)
	if err == nil && !t.recorded {
		err = s.keep(st)
	}
	if err == nil {
		err = t.update(ctx, s, q)
	}
	if err == nil {
		err = t.settle(ctx, s, q)
	}
	if err != nil {
		return s.tell(ctx, st, next.with(updateFailed, ""), err)
	}
	next.Maybe = nil
	s.put(st, next.with(updateComplete, ""), true)
	return nil
}

// tell gives a resource that has failed its reason. One that was stopped stays as it is.
func (s *Store) tell(ctx context.Context, st *stack, r *resource, err error) error {
	switch {
	case stopped(ctx):
		return err
	case ctx.Err() != nil && r.Status == createFailed:
		r.Reason = createCancelled
	case ctx.Err() != nil:
		r.Reason = updateCancelled
	default:
		r.Reason = message(err)
		s.log.Debug("a resource has failed", slog.String("stack", st.Name), slog.String("resource", r.ID), slog.Any("error", err))
	}
	s.put(st, r, true)
	return err
}

// put makes r the stack's, with an event if it is to be told.
func (s *Store) put(st *stack, r *resource, told bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if told {
		st.putLocked(r)
		return
	}
	st.Resources[r.ID] = r
	st.changes++
}

func (st *stack) putLocked(r *resource) {
	st.Resources[r.ID] = r
	st.noteLocked(r)
}
