package stacks

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/hydrant-go/hydrant/local/stacks/template"
)

// What an update goes back to is all of the stack as it was before: the definition, and
// every resource with its properties. A resource whose update is undone is updated to
// what it was. What was replaced or removed is there until the update is complete; only
// then, in the clean-up, does it go. And what was made goes in the clean-up of a rollback.

// beginLocked notes what an update goes back to. After one that failed and was not
// rolled back it is still what was before that.
func (st *stack) beginLocked() {
	if st.Before != nil {
		return
	}
	st.Before = &before{Definition: st.definition, Resources: map[string]*resource{}}
	for id, r := range st.Resources {
		if r.there() && r.Status != createFailed && st.Status != createFailed {
			st.Before.Resources[id] = r
		}
	}
}

// replacedLocked notes that a resource that this update itself has made, before it failed
// the last time, is needless now. What was there before the update stays until the end,
// and is no leftover yet: it returns nil, as for no old resource.
func (st *stack) replacedLocked(old *resource) *leftover {
	if old == nil {
		return nil
	}
	if st.Before != nil {
		if was := st.Before.Resources[old.ID]; was != nil && was.Made == old.Made {
			return nil
		}
	}
	left := &leftover{Resource: old, Keep: keeps(old.UpdateReplacePolicy, false)}
	st.Cleanup = append(st.Cleanup, left)
	return left
}

// keepReplaced takes back that a resource is replaced.
func (s *Store) keepReplaced(st *stack, left *leftover) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Cleanup = slices.DeleteFunc(st.Cleanup, func(l *leftover) bool { return l == left })
}

// leaveLocked, at the end of an update, finds what is to be removed: what the template
// has no more, and what was replaced.
func (st *stack) leaveLocked(bound *template.Bound) {
	wanted := map[string]bool{}
	for _, r := range bound.Order() {
		wanted[r.ID] = true
	}
	for _, r := range st.sortedLocked() {
		if wanted[r.ID] {
			continue
		}
		delete(st.Resources, r.ID)
		if r.there() {
			st.Cleanup = append(st.Cleanup, &leftover{Resource: r, Keep: keeps(r.DeletionPolicy, false)})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(st.Before.Resources)) {
		was := st.Before.Resources[id]
		if r := st.Resources[id]; r != nil && r.Made != was.Made {
			st.Cleanup = append(st.Cleanup, &leftover{Resource: was, Keep: keepsReplaced(was, r.UpdateReplacePolicy)})
		}
	}
}

// keeps tells whether a policy keeps a resource. fresh is one whose creation is undone.
func keeps(policy string, fresh bool) bool {
	return policy == retain || policy == retainExceptOnCreate && !fresh
}

// keepsReplaced tells whether a resource that is replaced is kept. Whether AWS goes by the
// old template or by the new is UNVERIFIED; here either can keep it.
func keepsReplaced(was *resource, policy string) bool {
	return was != nil && keeps(was.UpdateReplacePolicy, false) || keeps(policy, false)
}

// takeBack undoes a creation.
func (s *Store) takeBack(ctx context.Context, st *stack) {
	s.mu.Lock()
	list := st.leftoversLocked(func(r *resource) bool { return keeps(r.DeletionPolicy, true) && !st.RetainExceptOnCreate })
	s.mu.Unlock()
	failed := s.removeAll(ctx, st, list)
	s.turn(ctx, st, rollbackInProgress, func() {
		if len(failed) > 0 {
			st.statusLocked(rollbackFailed, failure("delete", failed))
			return
		}
		st.statusLocked(rollbackComplete, "")
	})
}

// remove deletes the stack.
func (s *Store) remove(ctx context.Context, st *stack) {
	s.mu.Lock()
	list := st.leftoversLocked(func(r *resource) bool {
		return keeps(r.DeletionPolicy, false) || slices.Contains(st.Retain, r.ID)
	})
	list = append(list, st.Cleanup...)
	if st.Before != nil {
		for _, was := range st.Before.Resources { // that were replaced
			if r := st.Resources[was.ID]; r == nil || r.Made != was.Made {
				list = append(list, &leftover{was, keeps(was.DeletionPolicy, false)})
			}
		}
	}
	s.mu.Unlock()
	failed := s.removeAll(ctx, st, list)
	var forgotten []*stack
	s.turn(ctx, st, deleteInProgress, func() {
		if len(failed) > 0 {
			st.statusLocked(deleteFailed, failure("delete", failed))
			return
		}
		st.statusLocked(deleteComplete, "")
		forgotten = s.endLocked(st)
	})
	for _, st := range forgotten {
		if err := s.removeFile(st); err != nil {
			s.log.Error(err.Error())
		}
	}
}

// clean removes what an update, or its rollback, has left over. What can't be removed is
// the stack's no more, as with AWS.
func (s *Store) clean(ctx context.Context, st *stack) {
	s.mu.Lock()
	list, status := slices.Clone(st.Cleanup), st.Status
	s.mu.Unlock()
	failed := s.removeAll(ctx, st, list)
	s.turn(ctx, st, status, func() {
		st.Cleanup, st.Before, st.Skip = nil, nil, nil
		reason := ""
		if status == updateRollbackCleanup {
			st.statusLocked(updateRollbackComplete, "")
			return
		}
		if len(failed) > 0 {
			reason = "Update successful. One or more resources could not be deleted."
		}
		st.statusLocked(updateComplete, reason)
	})
}

// turn has f give the stack its next status, unless it has another already or the phase
// was stopped.
func (s *Store) turn(ctx context.Context, st *stack, from string, f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !stopped(ctx) && st.Status == from {
		f()
	}
}

// leftoversLocked are the stack's resources that are not removed yet.
func (st *stack) leftoversLocked(keep func(*resource) bool) (list []*leftover) {
	for _, r := range st.sortedLocked() {
		if r.Status != deleteComplete && r.Status != deleteSkipped {
			list = append(list, &leftover{r, keep(r)})
		}
	}
	return list
}

// removeAll removes resources, each before those that it needs, and goes on when one
// fails, but for those that it needs. It returns the ids of those that failed.
func (s *Store) removeAll(ctx context.Context, st *stack, list []*leftover) (failed []string) {
	needs := make([][]int, len(list))
	for i, l := range list {
		for j, other := range list {
			if slices.Contains(other.Resource.Needs, l.Resource.ID) {
				needs[i] = append(needs[i], j)
			}
		}
	}
	for i := range walk(ctx, needs, func(i int) error { return s.removeOne(ctx, st, list[i]) }) {
		failed = append(failed, list[i].Resource.ID)
	}
	slices.Sort(failed)
	return slices.Compact(failed)
}

func (s *Store) removeOne(ctx context.Context, st *stack, l *leftover) error {
	r := l.Resource
	switch {
	case l.Keep && r.Physical != "":
		s.removed(st, r.with(deleteSkipped, ""))
		return nil
	case r.Physical == "":
		s.removed(st, r.with(deleteComplete, ""))
		return nil
	}
	s.removed(st, r.with(deleteInProgress, ""))
	err := types[r.Type].remove(ctx, s, &request{Caller: st.Caller, stack: st.Name, r: r})
	switch {
	case stopped(ctx):
		return err
	case err != nil && st.Force:
		s.removed(st, r.with(deleteSkipped, message(err)))
		return nil
	case err != nil:
		s.removed(st, r.with(deleteFailed, message(err)))
		return err
	}
	s.removed(st, r.with(deleteComplete, ""))
	return nil
}

// removed tells of a resource that is being removed. It may be one that has another
// version in the stack, which stays.
func (s *Store) removed(st *stack, r *resource) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if was := st.Resources[r.ID]; was != nil && was.Made == r.Made {
		st.Resources[r.ID] = r
	}
	st.noteLocked(r)
}

// revert makes the stack what it was before an update.
func (s *Store) revert(ctx context.Context, st *stack) {
	s.mu.Lock()
	was := slices.Collect(maps.Values(st.Before.Resources))
	s.mu.Unlock()
	slices.SortFunc(was, func(a, b *resource) int { return strings.Compare(a.ID, b.ID) })
	needs := make([][]int, len(was))
	for i, r := range was {
		for j, other := range was {
			if slices.Contains(r.Needs, other.ID) {
				needs[i] = append(needs[i], j)
			}
		}
	}
	var failed []string
	for i := range walk(ctx, needs, func(i int) error { return s.revertOne(ctx, st, was[i]) }) {
		failed = append(failed, was[i].ID)
	}
	s.turn(ctx, st, updateRollback, func() {
		if len(failed) > 0 {
			st.statusLocked(updateRollbackFailed, failure("update", failed))
			return
		}
		st.undoLocked()
		st.statusLocked(updateRollbackCleanup, "")
	})
}

// undoLocked ends a rollback: what is not of the stack as it was is left over.
func (st *stack) undoLocked() {
	for _, r := range st.sortedLocked() {
		if st.Before.Resources[r.ID] != nil {
			continue
		}
		delete(st.Resources, r.ID)
		if r.there() {
			st.Cleanup = append(st.Cleanup, &leftover{r, keeps(r.DeletionPolicy, true) && !st.RetainExceptOnCreate})
		}
	}
	st.definition = st.Before.Definition
}

// revertOne makes a resource what it was.
func (s *Store) revertOne(ctx context.Context, st *stack, was *resource) error {
	s.mu.Lock()
	now, skip := st.Resources[was.ID], slices.Contains(st.Skip, was.ID)
	if now == was {
		s.mu.Unlock()
		return nil
	}
	if now.there() && now.Made != was.Made { // it was replaced
		st.Cleanup = append(st.Cleanup, &leftover{now, keeps(now.DeletionPolicy, true) && !st.RetainExceptOnCreate})
		st.putLocked(was.with(updateComplete, ""))
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	if now == nil || skip || now.done() && now.same(was.version) {
		s.put(st, was, false)
		return nil
	}
	next := *was
	return s.update(ctx, st, types[was.Type], &next, now)
}
