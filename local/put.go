package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hydrant-go/hydrant/server"
	"github.com/hydrant-go/hydrant/spool"
	"github.com/hydrant-go/hydrant/wire"
)

// PutRecord stores one record or fails as a whole.
func (b *Backend) PutRecord(ctx context.Context, c server.Caller, stream string, data []byte) (id string, encrypted bool, err error) {
	resp, err := b.put(ctx, c, "PutRecord", stream, [][]byte{data})
	if err != nil {
		return "", false, err
	}
	if len(resp.Entries) == 0 {
		return "", resp.Encrypted, nil // a fault's doing
	}
	e := resp.Entries[0]
	if e.ErrorCode == "" {
		return e.RecordID, resp.Encrypted, nil
	}
	status := 503
	if e.ErrorCode == wire.CodeInternalFailure {
		status = 500
	}
	return "", false, &wire.Error{Status: status, Code: e.ErrorCode, Message: e.ErrorMessage}
}

// PutRecordBatch stores the records that the faults and the quota let in. An
// error means that none is stored, unless it is server.ErrReset.
func (b *Backend) PutRecordBatch(ctx context.Context, c server.Caller, stream string, records [][]byte) (wire.PutResponse, error) {
	return b.put(ctx, c, "PutRecordBatch", stream, records)
}

func (b *Backend) put(ctx context.Context, c server.Caller, op, name string, records [][]byte) (wire.PutResponse, error) {
	start := time.Now()
	fault := b.nextFault(op, len(records))
	if err := wait(ctx, fault.Delay); err != nil {
		return wire.PutResponse{}, err
	}
	if fault.Reset == ResetBefore {
		return wire.PutResponse{}, server.ErrReset
	}
	s, err := b.lookup(c, name)
	if err != nil {
		return wire.PutResponse{}, err
	}
	defer func() { s.countCall(op, records, time.Since(start)) }()
	if fault.Code != "" {
		if fault.Code == wire.CodeServiceUnavailable {
			s.count("ThrottledRecords", float64(len(records)))
		}
		return wire.PutResponse{}, &wire.Error{Status: cmp.Or(fault.Status, 503), Code: fault.Code, Message: fault.Message}
	}
	resp, err := s.put(ctx, records, fault.Refuse)
	if err != nil {
		return wire.PutResponse{}, err
	}
	if fault.Reset == ResetAfter {
		return wire.PutResponse{}, server.ErrReset
	}
	if fault.Answer != nil {
		fault.Answer(&resp)
	}
	return resp, nil
}

func (b *Backend) nextFault(op string, records int) Fault {
	b.mu.Lock()
	faults := b.faults
	b.mu.Unlock()
	if faults == nil {
		return Fault{}
	}
	return faults.Next(op, records)
}

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lists is memory for the accepted records of a call.
var lists = sync.Pool{New: func() any { return new([]spool.Record) }}

// put decides on every record and journals the accepted ones. refuse may be nil.
func (s *stream) put(ctx context.Context, records [][]byte, refuse func(int) (code, message string)) (wire.PutResponse, error) {
	list := lists.Get().(*[]spool.Record)
	defer func() {
		clear(*list)
		*list = (*list)[:0]
		lists.Put(list)
	}()
	resp, err := s.admit(records, refuse, list)
	if err != nil {
		return wire.PutResponse{}, err
	}
	accepted := *list
	if err := s.store(ctx, accepted); err != nil {
		if errors.Is(err, spool.ErrClosed) {
			return wire.PutResponse{}, s.whyGone()
		}
		if !errors.Is(err, spool.ErrFull) {
			return wire.PutResponse{}, fmt.Errorf("journal: %w", err)
		}
		for i := range resp.Entries {
			resp.Entries[i] = wire.PutEntry{ErrorCode: wire.CodeServiceUnavailable, ErrorMessage: wire.SlowDown}
		}
		accepted = nil
	}
	resp.FailedPutCount = len(records) - len(accepted)
	s.countPut(&resp, accepted)
	if len(accepted) > 0 && s.backend.cfg.EachCall {
		if err := s.flow.flush(ctx); err != nil {
			s.log.Error("not delivered before the answer", slog.Any("error", err))
		}
	}
	return resp, nil
}

// admit gives every record an id or an error, and lists the accepted ones.
func (s *stream) admit(records [][]byte, refuse func(int) (code, message string), accepted *[]spool.Record) (wire.PutResponse, error) {
	ids := s.backend.ids.next(len(records))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.acceptsLocked(); err != nil {
		return wire.PutResponse{}, err
	}
	now := time.Now()
	resp := wire.PutResponse{Entries: make([]wire.PutEntry, len(records)), Encrypted: s.set.Encryption.On && !s.within(s.set.Encryption.Since)}
	called := s.meter.call(now)
	for i, data := range records {
		e := &resp.Entries[i]
		if refuse != nil {
			e.ErrorCode, e.ErrorMessage = refuse(i)
		}
		if e.ErrorCode == "" && !(called && s.meter.record(now, len(data))) {
			e.ErrorCode, e.ErrorMessage = wire.CodeServiceUnavailable, wire.SlowDown
		}
		if e.ErrorCode == "" {
			e.RecordID = ids[i*recordIDLen:][:recordIDLen]
			*accepted = append(*accepted, spool.Record{Data: data})
		}
	}
	return resp, nil
}

// store writes accepted records to the journal.
func (s *stream) store(ctx context.Context, accepted []spool.Record) error {
	if len(accepted) == 0 {
		return nil
	}
	watch := s.backend.cfg.Accepted
	if watch != nil {
		s.order.Lock()
		defer s.order.Unlock()
	}
	if _, err := s.queue.Append(ctx, accepted...); err != nil {
		return err
	}
	if watch != nil {
		for i := range accepted {
			watch(s.key.Caller, s.key.name, accepted[i].Data)
		}
	}
	s.flow.kick()
	return nil
}
