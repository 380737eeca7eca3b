package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/spf13/cobra"
	"golang.org/x/time/rate"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/internal/ui"
)

// followEvery is how often --follow looks for new events; where there are more than ten
// logs, so that it makes five calls a second. What an account has is UNVERIFIED.
const followEvery = 2 * time.Second

type logsOptions struct {
	of            streamFlag
	since, filter string
	follow        bool
	limit         int
}

func (a *app) logs() *cobra.Command {
	var o logsOptions
	cmd := &cobra.Command{
		Use:   "logs [STREAM]",
		Short: "Show the delivery errors of a delivery stream, with what to do about them",
		Long: `Show the delivery errors that Firehose has logged of a delivery stream, the oldest
first, each with what to do about it. Without STREAM, those of all streams of the account
and region that log them.

Firehose logs errors alone, and not each one where there are many. It logs to the log
groups and streams of CloudWatch Logs that the stream's description names; a stream whose
logging is disabled has no such log, and says so here.

With --follow it goes on until interrupted. Events may arrive late: those that do within
ten minutes are shown too, and none twice.`,
		Example: `  hydrant logs my-stream --since 24h
  hydrant logs --follow
  hydrant logs my-stream --filter '{ $.errorCode = "Lambda.*" }'
  hydrant logs my-stream --json | jq -r .code | sort | uniq -c`,
		Args: o.of.args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.limit < 0 {
				return usageError("--limit is %d, it must not be negative", o.limit)
			}
			return a.runLogs(cmd.Context(), &o, args)
		},
	}
	f := cmd.Flags()
	o.of.flag(f)
	f.StringVar(&o.since, "since", "1h", "how far to look back, such as 30m, 12h or 7d, or from when, such as 2026-11-25T14:00:00Z")
	f.BoolVarP(&o.follow, "follow", "f", false, "go on with what comes, until interrupted")
	f.StringVar(&o.filter, "filter", "", "filter pattern of CloudWatch Logs that lines must match")
	f.IntVar(&o.limit, "limit", 0, "show only so many of what is there, the newest (0: all)")
	return cmd
}

func (a *app) runLogs(ctx context.Context, o *logsOptions, args []string) error {
	args, err := o.of.named(ctx, a, args)
	if err != nil {
		return err
	}
	cfg, err := a.aws(ctx)
	if err != nil {
		return err
	}
	return a.readLogs(ctx, cfg, o, args)
}

func (a *app) readLogs(ctx context.Context, cfg aws.Config, o *logsOptions, args []string) error {
	from, err := ui.ParseSince(o.since, time.Now())
	if err != nil {
		return usageError("--since: %w", err)
	}
	fh := firehose.NewFromConfig(cfg)
	names, all, err := a.streamNames(ctx, fh, args)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		a.tell("no delivery streams in this account and region")
		return nil
	}
	r := &logReader{app: a, logsOptions: o, from: from, all: all, told: map[string]bool{}, last: map[string]string{}}
	if err := r.find(ctx, fh, cloudwatchlogs.NewFromConfig(cfg), names); err != nil {
		return err
	}
	return r.run(ctx)
}

// logReader shows error logs, once or as they grow.
type logReader struct {
	*app
	*logsOptions
	from    time.Time
	all     bool // streams are meant, not one
	sources []*logSource
	told    map[string]bool   // codes whose remedy was shown
	last    map[string]string // code and message that were shown last, by delivery stream
	shown   int
}

// logSource is a log stream.
type logSource struct {
	admin.ErrorLog
	streams []string // delivery streams that log to it
	tail    *admin.LogTail
	err     error // of the last poll
}

const enableLogging = "make a log group and a log stream, let the delivery stream's role put into it (logs:PutLogEvents), and name both in the destination's CloudWatchLoggingOptions (aws firehose update-destination)"

// find finds where the streams log to.
func (r *logReader) find(ctx context.Context, fh admin.Describer, c cloudwatchlogs.FilterLogEventsAPIClient, names []string) error {
	var silent, denied []string
	var denial error
	pace := rate.NewLimiter(4, 1) // an account has five of these calls a second (developer guide, limits); one is for others
	for _, name := range names {
		if err := pace.Wait(ctx); err != nil {
			return err
		}
		d, err := admin.Describe(ctx, fh, name)
		if _, gone := errors.AsType[*types.ResourceNotFoundException](err); gone && r.all {
			continue // deleted since it was listed
		}
		if r.all && admin.IsDenied(err) {
			denied, denial = append(denied, name), err
			continue
		}
		if err != nil {
			return err
		}
		logs := admin.ErrorLogs(d)
		if len(logs) == 0 {
			silent = append(silent, name)
		}
		for _, l := range logs {
			r.source(l, c).streams = append(r.source(l, c).streams, aws.ToString(d.DeliveryStreamName))
		}
	}
	switch {
	case len(r.sources) == 0 && denial != nil:
		return denial
	case len(r.sources) == 0 && r.all:
		return fmt.Errorf("no stream of this account and region logs its delivery errors\nhint: %s", enableLogging)
	case len(r.sources) == 0:
		return fmt.Errorf("%s does not log its delivery errors\nhint: %s", names[0], enableLogging)
	}
	if len(silent) > 0 {
		r.tell("without a log of their delivery errors: %s", strings.Join(silent, ", "))
	}
	if len(denied) > 0 {
		r.tell("not permitted to ask where they log (firehose:DescribeDeliveryStream): %s", strings.Join(denied, ", "))
	}
	return nil
}

// source is that of a log, which several streams may have.
func (r *logReader) source(l admin.ErrorLog, c cloudwatchlogs.FilterLogEventsAPIClient) *logSource {
	for _, s := range r.sources {
		if s.ErrorLog == l {
			return s
		}
	}
	s := &logSource{ErrorLog: l, tail: admin.NewLogTail(c, admin.LogQuery{Group: l.Group, Stream: l.Stream, From: r.from, Pattern: r.filter})}
	r.sources = append(r.sources, s)
	return s
}

func (r *logReader) run(ctx context.Context) error {
	if err := r.first(ctx); err != nil || !r.follow {
		return err
	}
	tick := time.NewTicker(max(followEvery, time.Duration(len(r.sources))*time.Second/5))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		before := r.failures()
		for e := range r.poll(ctx) {
			if err := r.show(e); err != nil {
				return err
			}
		}
		r.tellFailures(ctx, before)
	}
}

// first shows what is there. Where one of several logs can't be read, the others are.
func (r *logReader) first(ctx context.Context) error {
	entries := r.poll(ctx)
	if r.limit > 0 {
		kept, dropped := newestOf(entries, r.limit)
		if entries = slices.Values(kept); dropped > 0 {
			defer func() { r.tell("%s older ones are not shown", ui.Count(int64(dropped))) }()
		}
	}
	for e := range entries {
		if err := r.show(e); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		if r.follow {
			return nil
		}
		return ctx.Err()
	}
	failed := r.failures()
	if len(failed) == len(r.sources) {
		return r.sources[0].err
	}
	r.tellFailures(ctx, nil)
	if len(failed) > 0 && !r.follow {
		return &exitError{code: exitFailed}
	}
	if r.shown == 0 {
		of := "of any stream"
		if !r.all {
			of = "of " + r.sources[0].streams[0]
		}
		if r.filter != "" {
			of += " that match"
		}
		r.tell("no delivery errors %s since %s", of, minuteText(r.from))
	}
	return nil
}

// failures are the logs whose last poll has failed, and how.
func (r *logReader) failures() map[*logSource]string {
	failed := map[*logSource]string{}
	for _, s := range r.sources {
		if s.err != nil {
			failed[s] = admin.Explain(s.err).Error() // without ids that differ each time
		}
	}
	return failed
}

// tellFailures tells those that were not there before. The next poll may succeed.
func (r *logReader) tellFailures(ctx context.Context, before map[*logSource]string) {
	failed := r.failures()
	for _, s := range r.sources {
		if s.err != nil && ctx.Err() == nil && before[s] != failed[s] {
			r.explain(s.err)
		}
	}
}
