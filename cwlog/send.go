package cwlog

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/hydrant-go/hydrant/wire"
)

const (
	callTimeout  = 30 * time.Second
	backoffBase  = 100 * time.Millisecond
	backoffCap   = 20 * time.Second
	backoffFloor = 10 * time.Millisecond // full jitter alone could be no wait at all
	// maxUnknownAttempts bounds the attempts at a batch that fails with a code that says
	// nothing of what to do.
	maxUnknownAttempts = 5
)

// deliver sends a batch until it is settled; false when nothing more is to be sent.
func (s *sink) deliver(batch []event) bool {
	for n := 1; ; n++ {
		rejected, err := s.put(batch)
		if err == nil {
			s.delivered(batch, rejected, n)
			return true
		}
		if s.ctx.Err() != nil {
			return false // close counts what is left
		}
		s.count(func(st *Stats) { st.Failures, st.LastFailure = st.Failures+1, err.Error() })
		switch class := s.classOf(err); {
		case class == wire.Renew:
			s.renew()
		case class == wire.Refuse:
			s.refuse(err)
			return false
		case class == wire.Poison, class == wire.Unknown && n >= maxUnknownAttempts:
			s.settle(batch, len(batch))
			s.tell.Error("CloudWatch Logs refused a batch of log events", slog.Any("error", err), slog.Int("lost", len(batch)))
			return true
		}
		wait, level := backoff(n), slog.LevelDebug
		if n == 1 {
			level = slog.LevelWarn // once an outage
		}
		s.tell.Log(s.ctx, level, "a call of CloudWatch Logs failed; trying again",
			slog.Any("error", err), slog.Int("attempt", n), slog.Duration("wait", wait), slog.Int("events", len(batch)))
		s.tellDropped()
		if !s.sleep(wait) {
			return false
		}
	}
}

// delivered settles a batch that was sent at the n-th attempt. There is room again, so
// what was dropped is told.
func (s *sink) delivered(batch []event, rejected, n int) {
	s.settle(batch, rejected)
	s.count(func(st *Stats) { st.LastFailure = "" })
	if n > 1 {
		s.tell.Info("CloudWatch Logs takes log events again", slog.Int("attempts", n))
	}
	if rejected > 0 {
		s.tell.Error("CloudWatch Logs rejected log events: it takes none older than 14 days or than the group's retention, nor any 2 hours ahead of its clock",
			slog.Int("lost", rejected))
	}
	s.tellDropped()
	s.logDropped()
}

func (s *sink) count(change func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.stats)
}

// put makes one attempt at a batch, and returns how many of its events were rejected.
// It makes the group and the stream when they are missing.
func (s *sink) put(batch []event) (rejected int, err error) {
	in := &cloudwatchlogs.PutLogEventsInput{LogGroupName: &s.cfg.Group, LogStreamName: &s.cfg.Stream}
	for i := range batch {
		in.LogEvents = append(in.LogEvents, types.InputLogEvent{Timestamp: &batch[i].at, Message: &batch[i].text})
	}
	s.count(func(st *Stats) { st.Calls++ })
	out, err := call(s, s.cfg.Client.PutLogEvents, in)
	if s.missing(err) {
		if err := s.create(); err != nil {
			return 0, err
		}
		s.count(func(st *Stats) { st.Calls++ })
		out, err = call(s, s.cfg.Client.PutLogEvents, in)
	}
	if err != nil {
		return 0, err
	}
	return rejectedOf(out.RejectedLogEventsInfo, len(batch)), nil
}

// rejectedOf is how many of n events an answer says are rejected: those before an
// index, which is exclusive, and those from another one on.
func rejectedOf(info *types.RejectedLogEventsInfo, n int) int {
	if info == nil {
		return 0
	}
	rejected := int(max(aws.ToInt32(info.TooOldLogEventEndIndex), aws.ToInt32(info.ExpiredLogEventEndIndex)))
	if at := info.TooNewLogEventStartIndex; at != nil {
		rejected += n - int(*at)
	}
	return max(0, min(rejected, n))
}

// call makes one call, without the SDK's own retries.
func call[In, Out any](s *sink, f func(context.Context, In, ...func(*cloudwatchlogs.Options)) (Out, error), in In) (Out, error) {
	ctx, cancel := context.WithTimeout(s.ctx, callTimeout)
	defer cancel()
	return f(ctx, in, func(o *cloudwatchlogs.Options) {
		o.Retryer = aws.NopRetryer{}
		if cache, ok := o.Credentials.(interface{ Invalidate() }); ok {
			s.renew = cache.Invalidate
		}
	})
}

// missing tells of an error whether group or stream is not there and may be made.
func (s *sink) missing(err error) bool {
	_, missing := errors.AsType[*types.ResourceNotFoundException](err)
	return missing && !s.cfg.NoCreate
}

// create makes the stream, and the group first if that is missing too: who may only do
// the one need not be allowed the other.
func (s *sink) create() error {
	err := s.createStream()
	if !s.missing(err) {
		return err
	}
	_, err = call(s, s.cfg.Client.CreateLogGroup, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &s.cfg.Group})
	if err = unlessThere(err); err != nil {
		return err
	}
	return s.createStream()
}

func (s *sink) createStream() error {
	_, err := call(s, s.cfg.Client.CreateLogStream, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &s.cfg.Group, LogStreamName: &s.cfg.Stream})
	return unlessThere(err)
}

// unlessThere leaves out the error that somebody else was faster.
func unlessThere(err error) error {
	if _, there := errors.AsType[*types.ResourceAlreadyExistsException](err); there {
		return nil
	}
	return err
}

// classOf says what to do about a call that failed.
func (s *sink) classOf(err error) wire.Class {
	code, message, status := "", err.Error(), 0
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		code, message = api.ErrorCode(), api.ErrorMessage()
	}
	if resp, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		status = resp.HTTPStatusCode() // 0 without an answer
	}
	switch {
	case code == "UnknownError": // the SDK's word for none
		code = ""
	case code == "InvalidParameterException":
		return wire.Poison
	case code == "OperationAbortedException", s.missing(err): // others change the group; it is not seen everywhere yet
		return wire.Retry
	}
	class, _ := wire.Classify(code, message, status)
	return class
}

// backoff is the wait after the n-th failure in a row, from 1: a random time up to the
// base, doubled with every further failure, up to the cap.
func backoff(n int) time.Duration {
	most := min(backoffCap, backoffBase<<min(n-1, 20))
	return max(backoffFloor, rand.N(most+1))
}

// sleep waits; false when Close gives up first.
func (s *sink) sleep(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-s.ctx.Done():
		return false
	}
}
