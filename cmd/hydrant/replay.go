package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/internal/ui"
	"github.com/hydrant-go/hydrant/wire"
)

type replayOptions struct {
	to         string
	deadLetter string
	compress   string
	rate       string
	drain      time.Duration
	keep       bool
	restart    bool
	skipBad    bool
	dryRun     bool

	compression hydrant.Compression
	limit       hydrant.Rate
}

func (a *app) replay() *cobra.Command {
	var o replayOptions
	cmd := &cobra.Command{
		Use:   "replay FILE...",
		Short: "Send the records of dead letter files again",
		Long: `Send the records of dead letter files again, each to the stream that it was meant
for, or all to --to. Records are sent as they were, byte for byte. Those that fail
again go to FILE.again, and FILE is renamed to FILE.replayed when all is done, so that
a second run does not send them twice. Files may be compressed by gzip or zstd. Memory
stays the same whatever their size.

A run that was interrupted, or killed, goes on where it was: FILE.progress keeps what
is done. A kill repeats at most the records of about its last second. One run at a
time may have a file; a program may go on appending to it, and what it adds too late
is in FILE afterwards.

Mend first what the file names as the reason; hydrant dead ls shows it. Where every
stream of a file refuses all records, as when it is deleted or access is denied, the
run stops, and the records stay in FILE. Where only some do, their records go to
FILE.again and the others are sent. Records that were to be compressed need
--compress again. A record marked maybe_delivered may have been stored already.

Exit codes: 0 all delivered, 3 some records failed again, 4 gave up before all was
sent, 130 interrupted.`,
		Example: `  hydrant replay hydrant-dead-letter.ndjson
  hydrant replay --to other-stream hydrant-dead-letter*.ndjson`,
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return a.runReplay(cmd.Context(), args, &o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.to, "to", "", "send all records to this stream (default: to each one's own)")
	f.StringVar(&o.deadLetter, "dead-letter", "", "file for records that fail again (default FILE.again)")
	f.StringVar(&o.compress, "compress", "", "compress what is packed, by gzip or zstd")
	f.StringVar(&o.rate, "rate", "", "send a stream at most this much a second, such as 500KiB, 5MiB or 2000records (default: what it takes)")
	f.DurationVar(&o.drain, "drain", 30*time.Second, "after an interrupt, how long to wait for what is under way")
	f.BoolVar(&o.keep, "keep", false, "do not rename FILE when it is done")
	f.BoolVar(&o.restart, "restart", false, "begin anew where an earlier run has stopped on the way")
	f.BoolVar(&o.skipBad, "skip-bad", false, "copy lines that are no dead record to FILE.unreadable, and go on")
	f.BoolVar(&o.dryRun, "dry-run", false, "only count what would be sent, by stream")
	return cmd
}

func (o *replayOptions) check() (err error) {
	if o.drain < 0 {
		return usageError("--drain must not be negative")
	}
	if o.limit, err = parseRate(o.rate); err != nil {
		return usageError("--rate: %w", err)
	}
	if o.to != "" {
		if err := wire.CheckStreamName(o.to); err != nil {
			return usageError("--to: %w", err)
		}
	}
	o.compression, err = parseCompression(o.compress)
	return err
}

// replayed is the result of replay, of one file or all.
type replayed struct {
	File           string `json:"file,omitempty"`
	Records        int64  `json:"records"` // taken in this run
	Delivered      int64  `json:"delivered"`
	DeadLettered   int64  `json:"dead_lettered"`
	MaybeDuplicate int64  `json:"maybe_duplicate"` // delivered, and maybe before
	DeadLetter     string `json:"dead_letter,omitempty"`
	Renamed        string `json:"renamed,omitempty"`

	BilledBytes int64   `json:"billed_bytes"`
	BilledUSD   float64 `json:"billed_usd"`

	ResumedAfter int64 `json:"resumed_after"` // records that earlier runs have settled
	Remaining    int64 `json:"remaining"`     // records of the files that are not settled
	Unreadable   int64 `json:"unreadable"`    // lines passed over

	Files []replayed `json:"files,omitempty"` // each, where there are several
}

func (r *replayed) add(one replayed) {
	r.Records += one.Records
	r.Delivered += one.Delivered
	r.DeadLettered += one.DeadLettered
	r.MaybeDuplicate += one.MaybeDuplicate
	r.BilledBytes += one.BilledBytes
	r.BilledUSD += one.BilledUSD
	r.ResumedAfter += one.ResumedAfter
	r.Remaining += one.Remaining
	r.Unreadable += one.Unreadable
}

// runReplay replays one file after the other, until one can't be done.
func (a *app) runReplay(ctx context.Context, names []string, o *replayOptions) error {
	var sum replayed
	var failed error
	for _, name := range names {
		var one replayed
		if o.dryRun {
			failed = a.dryReplay(ctx, name, o)
		} else {
			one, failed = a.replayFile(ctx, name, o)
			sum.add(one)
			sum.Files = append(sum.Files, one)
		}
		if failed != nil {
			break
		}
	}
	if o.dryRun {
		return failed
	}
	if len(names) == 1 {
		one := sum.Files[0]
		one.File = ""
		sum = one
	}
	if failed == nil || sum.Records > 0 || sum.Remaining > 0 {
		if err := a.showReplayed(&sum); err != nil {
			return err
		}
	}
	if failed == nil && sum.DeadLettered > 0 {
		return &exitError{exitDeadLetter, fmt.Errorf("%d records failed again\nhint: %s has each with its reason", sum.DeadLettered, againOf(&sum))}
	}
	return failed
}

// againOf names the files of records that failed again.
func againOf(r *replayed) string {
	name := r.DeadLetter
	for _, f := range r.Files {
		if f.DeadLetter != "" && name != "" && f.DeadLetter != name {
			return "FILE.again"
		}
		name = max(name, f.DeadLetter)
	}
	return name
}

func (a *app) showReplayed(r *replayed) error {
	if a.json {
		return a.printJSON(r)
	}
	fmt.Fprintf(a.stdout, "%s of %s records delivered, billed as %s, %s\n", ui.Count(r.Delivered), ui.Count(r.Records), ui.Bytes(r.BilledBytes), ui.Dollars(r.BilledUSD))
	if r.Remaining > 0 {
		fmt.Fprintf(a.stdout, "%s records remain\n", ui.Count(r.Remaining))
	}
	return nil
}
