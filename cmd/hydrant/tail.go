package main

import (
	"context"
	"errors"
	"iter"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/internal/ui"
	"github.com/hydrant-go/hydrant/source"
	"github.com/hydrant-go/hydrant/wire"
)

type tailOptions struct {
	shipOptions
	stream string
	stack  string
	from   string
	start  string
	follow source.FollowConfig
}

func (a *app) tail() *cobra.Command {
	var o tailOptions
	cmd := &cobra.Command{
		Use:   "tail PATH... --stream STREAM",
		Short: "Follow files that grow and are rotated, and send every line to a delivery stream",
		Long: `Follow files that grow, and send every line to a delivery stream, until interrupted.
A PATH is a file or a pattern with *, ?, [a-z], {a,b} and ** for any directories: in
quotes, so that new files are found too.

Rotated files are read to their end, whether they are renamed, or copied and
truncated, and compressed or not; also those that were rotated while hydrant did not
run. A file is known by what it is and not by its name.

The state file says up to where each file is delivered, and never more than that: a
restart goes on from there. After a crash what had been sent since it was last
written, moments before, is sent again. With --spool a record counts as
delivered once it is on disk there, so that files may be removed while the stream is
down.

With --multiline-start a record is a line that the expression matches and all that
follow up to the next such line, as in stack traces.

Signals: SIGTERM and Ctrl-C end it in order, SIGUSR1 prints the state, SIGHUP looks for
new files, opens the dead letter anew and reads the credentials anew.
Exit codes: 0 ended by a signal, 3 the same and some records are in the dead letter,
4 gave up.`,
		Example: `  hydrant tail '/var/log/app/*.log' --stream my-stream
  hydrant tail '/var/log/**/*.log' --exclude '*debug*' --stream my-stream --from end
  hydrant tail app.log --stream my-stream --multiline-start '^\d{4}-\d\d-\d\d'`,
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.follow.Paths = args
			return a.runTail(cmd.Context(), &o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.stream, "stream", "", "delivery stream to send to (this or --stack is required)")
	f.StringVar(&o.stack, "stack", "", "send to the delivery stream of this CloudFormation stack")
	f.StringVar(&o.follow.State, "state", "hydrant-tail-state.json", "file that keeps how far each file is delivered")
	f.StringVar(&o.from, "from", "start", "where files begin that the very first run finds: start or end")
	f.StringArrayVar(&o.follow.Exclude, "exclude", nil, "pattern of files to leave out; may be given more than once")
	f.StringVar(&o.start, "multiline-start", "", "regular expression of the line that begins a record of several lines")
	f.DurationVar(&o.follow.MultilineTimeout, "multiline-timeout", 5*time.Second, "a record of several lines ends when nothing has come for so long")
	f.DurationVar(&o.follow.Poll, "poll", time.Second, "how often to look at the files, besides the notifications of the system")
	f.DurationVar(&o.follow.RotateWait, "rotate-wait", 5*time.Second, "how long a file that was renamed or removed may still be written to")
	o.flags(f)
	return cmd
}

// check completes the follower's configuration.
func (o *tailOptions) check() error {
	switch {
	case o.stream != "" && o.stack != "":
		return usageError("--stream and --stack both say where to send to: give one")
	case o.stream == "" && o.stack == "":
		return usageError("--stream is missing\nhint: hydrant streams list shows those that there are; --stack takes that of a stack")
	case o.stream != "":
		if err := wire.CheckStreamName(o.stream); err != nil {
			return usageError("--stream: %w", err)
		}
	}
	if o.from != "start" && o.from != "end" {
		return usageError("--from is %q, it must be start or end", o.from)
	}
	if o.follow.State == "" {
		return usageError("--state is empty; without it a restart would send all again, or skip what came meanwhile")
	}
	if o.start != "" {
		re, err := regexp.Compile(o.start)
		if err != nil {
			return usageError("--multiline-start: %w", err)
		}
		o.follow.Start = re
	}
	o.follow.FromEnd = o.from == "end"
	return nil
}

func (a *app) runTail(ctx context.Context, o *tailOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	if o.stack != "" {
		var err error
		if o.stream, err = a.streamOf(ctx, o.stack); err != nil {
			return err
		}
	}
	o.follow.Logger = a.log
	follower, err := source.Follow(o.follow)
	if err != nil {
		return err
	}
	t := &tailing{options: o, follower: follower}
	w := &watch{files: t.files, reload: follower.Rescan}
	if t.shipping, err = a.ship(ctx, o.stream, &o.shipOptions, w); err != nil {
		closeErr := follower.Close()
		if ctx.Err() != nil {
			return closeErr // ended while it began
		}
		return errors.Join(err, closeErr)
	}
	t.rereads = o.spool == ""
	progress := ui.NewProgress(a.stderr, 0, func() ui.Snapshot {
		st := t.producer.Stats()
		return snapshot(st, st.DeliveredBytes)
	})
	progress.Start()
	readErr := t.read(ctx)
	closeErr := t.close(ctx)
	closeErr = errors.Join(closeErr, follower.Close())
	progress.Stop()
	if err := t.show(t.records); err != nil {
		return err
	}
	return t.verdict(ctx, ending{read: readErr, close: closeErr, goOn: "the same command goes on from there", service: true})
}

// tailing is one run of tail.
type tailing struct {
	*shipping
	options  *tailOptions
	follower *source.Follower
	records  int64
}

// read hands records to the producer until ctx ends, or the stream refuses all.
func (t *tailing) read(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-t.onRefuse:
			cancel()
		case <-ctx.Done():
		}
	}()
	for {
		list, err := t.follower.Next(ctx)
		if err == nil {
			err = t.put(ctx, list)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// put hands a burst to the producer. What is in its spool is done; without one a
// record is when its fate is known, for the dead letter is as good a place.
func (t *tailing) put(ctx context.Context, list []source.Followed) error {
	marks := make([]source.Mark, len(list))
	for i := range list {
		marks[i] = list[i].Mark
	}
	var ack func(hydrant.Ack)
	if t.options.spool == "" {
		ack = func(a hydrant.Ack) { t.follower.Done(marks[a.Index]) }
	}
	n, err := t.producer.PutRecords(ctx, followedRecords(list), ack)
	if t.options.spool != "" {
		t.follower.Done(marks[:n]...)
	}
	t.records += int64(n)
	return err
}

func followedRecords(list []source.Followed) iter.Seq[hydrant.Record] {
	return func(yield func(hydrant.Record) bool) {
		for i := range list {
			if !yield(hydrant.Record{Data: list[i].Data, Source: list[i].Path, Position: list[i].Offset}) {
				return
			}
		}
	}
}

// files is the state of the files, for operators.
func (t *tailing) files() (list []fileState) {
	for _, f := range t.follower.Files() {
		list = append(list, fileState{f.Path, f.Size, f.Read, f.Settled})
	}
	return list
}
