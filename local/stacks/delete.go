package stacks

import (
	"context"
	"slices"

	"github.com/hydrant-go/hydrant/internal/awsapi"
)

// DeleteStack, CancelUpdateStack, RollbackStack, ContinueUpdateRollback
//
// Kept: to delete what is not there is no error; a stack that is being created is deleted
// as soon as what is under way has ended, one that is being updated is not; what could
// not be deleted can be retained, or all of it by force; termination protection.
// Left out: a role, which is ignored.

type deleteStackInput struct {
	StackName, ClientRequestToken *string
	RetainResources               []string
	DeletionMode                  string
}

const force = "FORCE_DELETE_STACK"

func (s *Store) deleteStack(ctx context.Context, c awsapi.Caller, in *deleteStackInput) (any, error) {
	for _, err := range []error{
		checkNameOrID(in.StackName), checkToken(in.ClientRequestToken), checkOneOf("deletionMode", in.DeletionMode, "STANDARD", force),
	} {
		if err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	st := s.findLocked(c, *in.StackName)
	if st == nil || st.Status == deleteInProgress || st.Status == deleteComplete {
		s.mu.Unlock()
		return nil, nil
	}
	if err := s.startDeleteLocked(st, in); err != nil {
		s.mu.Unlock()
		return nil, err
	}
	s.mu.Unlock()
	return nil, s.begun(ctx, st)
}

func (s *Store) startDeleteLocked(st *stack, in *deleteStackInput) error {
	switch {
	case s.closed:
		return errClosed
	case st.Protected:
		return invalid("Stack [%s] cannot be deleted while TerminationProtection is enabled", st.Name)
	case st.Status == updateInProgress || st.Status == updateCleanup || st.Status == updateRollback || st.Status == updateRollbackCleanup:
		return invalid("Stack [%s] cannot be deleted while in status %s", *in.StackName, st.Status)
	case in.DeletionMode == force && st.Status != deleteFailed:
		return invalid("Invalid operation on stack [%s]. You can activate DeletionMode FORCE_DELETE_STACK in a delete stack operation only when the stack is in the DELETE_FAILED state.", st.ID)
	}
	if err := st.checkRetained(in.RetainResources); err != nil {
		return err
	}
	if st.stop != nil && st.Status == createInProgress {
		st.stop(errSuperseded)
	}
	st.Retain, st.Force = in.RetainResources, in.DeletionMode == force
	st.Token, st.Operation = deref(in.ClientRequestToken), "DeleteStack"
	st.statusLocked(deleteInProgress, userInitiated)
	s.driveLocked(st)
	return nil
}

// checkRetained checks what is to be retained. The rules are the API reference's, the
// words partly ours.
func (st *stack) checkRetained(ids []string) error {
	if len(ids) > 0 && st.Status != deleteFailed {
		return invalid("Invalid operation on stack [%s]. Specify which resources to retain only when the stack is in the DELETE_FAILED state.", st.ID)
	}
	for _, id := range ids {
		switch r := st.Resources[id]; {
		case r == nil:
			return invalid("Resource %s does not exist for stack %s", id, st.Name)
		case r.Status == deleteComplete:
			return invalid("The specified resources to retain must be in a valid state. Do not specify resources that are in the DELETE_COMPLETE state.")
		}
	}
	return nil
}

type rollbackInput struct {
	StackName, ClientRequestToken, RoleARN *string
	ResourcesToSkip                        []string
	RetainExceptOnCreate                   bool
}

// steer gives a stack another status, if it may have it.
func (s *Store) steer(c awsapi.Caller, in *rollbackInput, operation string, next func(*stack) (status string, err error)) (*stack, error) {
	if err := checkNameOrID(in.StackName); err != nil {
		return nil, err
	}
	if err := checkToken(in.ClientRequestToken); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.findLocked(c, *in.StackName)
	switch {
	case st == nil:
		return nil, noStack(*in.StackName)
	case s.closed:
		return nil, errClosed
	case in.ClientRequestToken != nil && st.Token == *in.ClientRequestToken && st.Operation == operation:
		return st, nil
	}
	status, err := next(st)
	if err != nil {
		return nil, err
	}
	st.Token, st.Operation = deref(in.ClientRequestToken), operation
	st.statusLocked(status, userInitiated)
	s.driveLocked(st)
	return st, nil
}

func (s *Store) cancelUpdateStack(ctx context.Context, c awsapi.Caller, in *rollbackInput) (any, error) {
	st, err := s.steer(c, in, "CancelUpdateStack", func(st *stack) (string, error) {
		if st.Status != updateInProgress {
			return "", invalid("CancelUpdateStack cannot be called from current stack status")
		}
		if st.stop != nil {
			st.stop(errSuperseded)
		}
		return updateRollback, nil
	})
	if err != nil {
		return nil, err
	}
	return nil, s.begun(ctx, st)
}

func (s *Store) rollbackStack(ctx context.Context, c awsapi.Caller, in *rollbackInput) (any, error) {
	st, err := s.steer(c, in, "RollbackStack", func(st *stack) (string, error) {
		switch st.Status {
		case createFailed:
			st.RetainExceptOnCreate = in.RetainExceptOnCreate
			return rollbackInProgress, nil
		case updateFailed:
			st.RetainExceptOnCreate = in.RetainExceptOnCreate
			return updateRollback, nil
		}
		// The rule is the API reference's, the words are ours.
		return "", invalid("Stack [%s] can be rolled back in the states CREATE_FAILED and UPDATE_FAILED only, it is in %s.", st.Name, st.Status)
	})
	if err != nil {
		return nil, err
	}
	return stackOutput{st.ID}, s.begun(ctx, st)
}

func (s *Store) continueUpdateRollback(ctx context.Context, c awsapi.Caller, in *rollbackInput) (any, error) {
	st, err := s.steer(c, in, "ContinueUpdateRollback", func(st *stack) (string, error) {
		if st.Status != updateRollbackFailed {
			// The rule is the API reference's, the words are ours.
			return "", invalid("Stack [%s] is in %s state and its rollback can't be continued.", st.Name, st.Status)
		}
		for _, id := range in.ResourcesToSkip {
			if r := st.Resources[id]; r == nil || r.Status != updateFailed {
				return "", invalid("Resource %s of stack %s can't be skipped: only those that are in the UPDATE_FAILED state can.", id, st.Name)
			}
		}
		st.Skip = slices.Clone(in.ResourcesToSkip)
		return updateRollback, nil
	})
	if err != nil {
		return nil, err
	}
	return struct{}{}, s.begun(ctx, st)
}
