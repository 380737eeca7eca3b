package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/hydrant-go/hydrant/internal/ui"
	"github.com/hydrant-go/hydrant/spool"
)

func (a *app) spool() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "spool",
		Short: "Look at a spool, check it, send what is left in it",
		Long: `A spool is a folder in which send --spool, tail --spool and Config.Spool keep what
they have accepted until it is delivered. docs/FORMAT.md has its format.`,
		Args: cobra.ArbitraryArgs,
		RunE: verbsOnly,
	}
	cmd.AddCommand(a.spoolList(), a.spoolShow(), a.spoolVerify(), a.spoolDrain())
	return cmd
}

// lookAt opens a spool that another process may have.
func lookAt(dir string) (*spool.Spool, error) {
	s, err := spool.Open(dir, spool.Options{ReadOnly: true})
	return s, noSpool(dir, err)
}

func noSpool(dir string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no spool in %s: %w\nhint: name the folder that --spool or Config.Spool was given", dir, fs.ErrNotExist)
	}
	return err
}

func (a *app) spoolList() *cobra.Command {
	return &cobra.Command{
		Use:   "ls DIR",
		Short: "List the streams in a spool, with what is left for each",
		Long:  "List the streams in a spool, with what is left for each. A running process may have it.",
		Args:  arguments(cobra.ExactArgs(1)),
		RunE:  func(_ *cobra.Command, args []string) error { return a.runSpoolList(args[0]) },
	}
}

// queueInfo is a line of spool ls.
type queueInfo struct {
	Stream   string     `json:"stream"`
	Records  int64      `json:"records"`
	Bytes    int64      `json:"bytes"` // of files
	Segments int        `json:"segments"`
	Oldest   *time.Time `json:"oldest,omitempty"`
}

func (a *app) runSpoolList(dir string) error {
	s, err := lookAt(dir)
	if err != nil {
		return err
	}
	defer s.Close()
	list := []queueInfo{}
	for _, q := range s.Queues() {
		st := q.Stats()
		info := queueInfo{Stream: q.Name(), Records: st.Records, Bytes: st.Bytes, Segments: st.Segments}
		first, err := q.Read(nil, 1)
		if err != nil {
			return err
		}
		if len(first) > 0 {
			info.Oldest = &first[0].Time
		}
		list = append(list, info)
	}
	if a.json {
		return a.printJSON(map[string]any{"spool": dir, "streams": list})
	}
	if len(list) == 0 {
		a.tell("The spool %s is empty.", dir)
		return nil
	}
	t := ui.NewTable(a.stdout)
	t.Row("STREAM", "RECORDS", "FILES", "SIZE", "OLDEST")
	for _, q := range list {
		oldest := "-"
		if q.Oldest != nil {
			oldest = q.Oldest.Local().Format(time.DateTime)
		}
		t.Row(q.Stream, ui.Count(q.Records), ui.Count(int64(q.Segments)), ui.Bytes(q.Bytes), oldest)
	}
	return t.Flush()
}

func (a *app) spoolShow() *cobra.Command {
	var stream string
	var limit int64
	cmd := &cobra.Command{
		Use:   "show DIR",
		Short: "Print the records that are left in a spool",
		Long: `Print the records that are left in a spool, as their bytes are. With --json a line
for each: stream, number, time, source, position, maybe_sent (a process that has
ended may have sent it), and data in base64. A running process may have the spool.`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runSpoolShow(cmd.Context(), args[0], stream, limit)
		},
	}
	cmd.Flags().StringVar(&stream, "stream", "", "only those of this stream")
	cmd.Flags().Int64Var(&limit, "limit", 0, "at most this many (0: all)")
	return cmd
}

// spooledRecord is a line of spool show --json.
type spooledRecord struct {
	Stream    string    `json:"stream"`
	Number    uint64    `json:"number"`
	Time      time.Time `json:"time"`
	Source    string    `json:"source,omitempty"`
	Position  int64     `json:"position,omitempty"`
	MaybeSent bool      `json:"maybe_sent"`
	Data      []byte    `json:"data"`
}

func (a *app) runSpoolShow(ctx context.Context, dir, stream string, limit int64) error {
	s, err := lookAt(dir)
	if err != nil {
		return err
	}
	defer s.Close()
	enc := json.NewEncoder(a.stdout)
	left := limit
	for _, q := range s.Queues() {
		if stream != "" && q.Name() != stream {
			continue
		}
		var list []spool.Record
		for {
			if list, err = q.Read(list[:0], 1<<20); err != nil {
				return err
			}
			if len(list) == 0 {
				break
			}
			for _, r := range list {
				if ctx.Err() != nil || limit > 0 && left == 0 {
					return ctx.Err()
				}
				left--
				if err := a.printSpooled(enc, q.Name(), r); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (a *app) printSpooled(enc *json.Encoder, stream string, r spool.Record) error {
	if a.json {
		return enc.Encode(spooledRecord{stream, r.Number, r.Time, r.Source, r.Position, r.MaybeHanded, r.Data})
	}
	if n := len(r.Data); n == 0 || r.Data[n-1] != '\n' {
		r.Data = append(r.Data[:n:n], '\n')
	}
	_, err := a.stdout.Write(r.Data)
	return err
}

func (a *app) spoolVerify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify DIR",
		Short: "Read all of a spool, and report what is damaged",
		Long: `Read all that is left in a spool, and report what can't be read. Nothing is changed:
the next process that has the spool sets damaged bytes aside in a file, and sends
the rest. It fails while a running process has it.

Exit codes: 0 all can be read, 1 something is damaged.`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error { return a.runSpoolVerify(args[0]) },
	}
}

func (a *app) runSpoolVerify(dir string) error {
	type damage struct {
		Stream  string `json:"stream"`
		Segment string `json:"segment"`
		Offset  int64  `json:"offset"`
		Bytes   int64  `json:"bytes"`
		Records int64  `json:"records"`
		Torn    bool   `json:"torn"`
	}
	found, text := []damage{}, ""
	records, bytes, err := spool.Verify(dir, spool.Options{OnDamage: func(d spool.Damage) {
		found = append(found, damage{d.Queue, d.Segment, d.Offset, d.Bytes, d.Records, d.Torn})
		text += d.String() + "\n"
	}})
	if err != nil {
		if errors.Is(err, spool.ErrLocked) {
			err = fmt.Errorf("%w\nhint: end that process first; hydrant spool ls and show work beside it", err)
		}
		return noSpool(dir, err)
	}
	if a.json {
		if err := a.printJSON(map[string]any{"spool": dir, "records": records, "bytes": bytes, "damage": found}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(a.stdout, "%s records of %s can be read, %d places are damaged\n", ui.Count(records), ui.Bytes(bytes), len(found))
	}
	if len(found) > 0 {
		return &exitError{exitFailed, errors.New(text + "hint: the next process that has the spool sets these bytes aside, and sends the rest")}
	}
	return nil
}

func (a *app) spoolDrain() *cobra.Command {
	var o shipOptions
	cmd := &cobra.Command{
		Use:   "drain DIR",
		Short: "Send what is left in a spool, each record to its own stream",
		Long: `Send what is left in a spool, each record to the stream that it was accepted for, and
end. An interrupt leaves the rest in it. No other process may have it.

Exit codes: 0 all delivered, 3 some records in the dead letter, 4 gave up before
all was sent, 130 interrupted.`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.spool = args[0]
			return a.runSpoolDrain(cmd.Context(), &o)
		},
	}
	o.flags(cmd.Flags())
	_ = cmd.Flags().MarkHidden("spool")
	return cmd
}

func (a *app) runSpoolDrain(ctx context.Context, o *shipOptions) error {
	if _, err := os.Stat(o.spool); err != nil { // or it would be made
		return noSpool(o.spool, err)
	}
	s, err := a.ship(ctx, "", o, &watch{})
	if err != nil {
		return err
	}
	total := s.producer.Stats().Pending
	progress := ui.NewProgress(a.stderr, 0, func() ui.Snapshot {
		st := s.producer.Stats()
		snap := snapshot(st, st.DeliveredBytes)
		if snap.Note == "" {
			snap.Note = fmt.Sprintf("of %s records", ui.Count(total))
		}
		return snap
	})
	progress.Start()
	closeErr := s.close(ctx)
	progress.Stop()
	if err := s.show(0); err != nil {
		return err
	}
	return s.verdict(ctx, ending{close: closeErr, goOn: "the same command goes on"})
}
