package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/hydrant-go/hydrant/internal/ui"
)

func (a *app) dead() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dead",
		Short: "Look at dead letter files",
		Long: `A dead letter file holds the records that could not be delivered, each with the
reason. hydrant replay sends them again.`,
		Args: cobra.ArbitraryArgs,
		RunE: verbsOnly,
	}
	cmd.AddCommand(a.deadList())
	return cmd
}

type deadListOptions struct {
	records      bool
	stream, code string
	since        string
}

func (a *app) deadList() *cobra.Command {
	var o deadListOptions
	cmd := &cobra.Command{
		Use:   "ls [FILE...]",
		Short: "Count the records of dead letter files by stream and code",
		Long: `Count the records of dead letter files by stream and code, or list each with --records.
Without FILE: ` + defaultDeadLetter + ` and what has been put aside of it by
--dead-letter-max. Files may be compressed by gzip or zstd. Memory stays the same
whatever their size.

Lines that are no dead record are told on stderr, and the exit code is 1 then; not so
for a last line that a crash has cut short.`,
		Example: `  hydrant dead ls
  hydrant dead ls --records --code ResourceNotFoundException --since 2h`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.runDeadList(cmd.Context(), args, o) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.records, "records", false, "list each record")
	f.StringVar(&o.stream, "stream", "", "only those of this stream")
	f.StringVar(&o.code, "code", "", `only those of this code ("-" for none)`)
	f.StringVar(&o.since, "since", "", "only those given up since then: so long ago, such as 2h, or a time such as 2026-11-25T03:15:30Z")
	return cmd
}

// deadGroup counts the records of one stream and code. Times are those when a
// record was given up.
type deadGroup struct {
	Stream         string    `json:"stream"`
	Code           string    `json:"code"`
	Records        int64     `json:"records"`
	Bytes          int64     `json:"bytes"`
	MaybeDelivered int64     `json:"maybe_delivered"`
	Oldest         time.Time `json:"oldest"`
	Newest         time.Time `json:"newest"`
	Message        string    `json:"message"` // of the first one
}

// deadListed is the result of dead ls.
type deadListed struct {
	Files      []string     `json:"files"`
	Records    int64        `json:"records"`
	Bytes      int64        `json:"bytes"`
	Unreadable int64        `json:"unreadable"` // lines, torn ones left out
	Torn       int64        `json:"torn"`       // last lines that are cut short
	Groups     []*deadGroup `json:"groups"`

	broken error // of a file that can't be read to its end
}

func (a *app) runDeadList(ctx context.Context, files []string, o deadListOptions) error {
	since, err := parseSince(o.since)
	if err != nil {
		return usageError("--since: %w", err)
	}
	if len(files) == 0 {
		if files, err = deadLetters(defaultDeadLetter); err != nil {
			return err
		}
		if len(files) == 0 {
			a.tell("No dead letter: there is no %s here.", defaultDeadLetter)
		}
	}
	if _, err := sizeOf(files); err != nil {
		return err
	}
	l := deadListed{Files: append([]string{}, files...), Groups: []*deadGroup{}}
	out := bufio.NewWriter(a.stdout)
	list := func(string, *deadLine) error { return nil }
	if o.records {
		list = a.deadRecords(out)
	}
	for _, name := range files {
		if err := a.eachDead(ctx, name, &l, func(d *deadLine) error {
			if o.stream != "" && d.Stream != o.stream || o.code != "" && orDash(d.Code) != o.code || d.Last.Before(since) {
				return nil
			}
			l.add(d)
			return list(name, d)
		}); err != nil {
			return err
		}
	}
	if !a.json || !o.records {
		if err := a.showDeadList(out, &l, !o.records); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if l.Unreadable > 0 {
		l.broken = errors.Join(l.broken, fmt.Errorf("%d lines can't be read\nhint: they stay in their files; hydrant replay --skip-bad passes over them", l.Unreadable))
	}
	return l.broken
}

// mostTold bounds the bad lines of a file that are told one by one.
const mostTold = 10

// eachDead passes on the dead records of a file, and tells of its bad lines.
func (a *app) eachDead(ctx context.Context, name string, l *deadListed, do func(*deadLine) error) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	bad := 0
	for d, err := range deadLines(f, everyLine) {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil: // what was whole before it counts
			l.broken = errors.Join(l.broken, fmt.Errorf("%s: %w", name, err))
			return nil
		case d.err == nil:
			if err := do(d); err != nil {
				return err
			}
			continue
		case d.torn:
			l.Torn++
		default:
			l.Unreadable++
		}
		if bad++; bad <= mostTold {
			a.tell("%v", d.wrong(name))
		}
	}
	if bad > mostTold {
		a.tell("%s: and %d lines more", name, bad-mostTold)
	}
	return nil
}

func (l *deadListed) add(d *deadLine) {
	l.Records++
	l.Bytes += int64(len(d.Data))
	i := slices.IndexFunc(l.Groups, func(g *deadGroup) bool { return g.Stream == d.Stream && g.Code == d.Code })
	if i < 0 {
		i = len(l.Groups)
		l.Groups = append(l.Groups, &deadGroup{Stream: d.Stream, Code: d.Code, Oldest: d.Last, Newest: d.Last, Message: d.Message})
	}
	g := l.Groups[i]
	g.Records++
	g.Bytes += int64(len(d.Data))
	if d.MaybeDelivered {
		g.MaybeDelivered++
	}
	if d.Last.Before(g.Oldest) {
		g.Oldest = d.Last
	}
	if d.Last.After(g.Newest) {
		g.Newest = d.Last
	}
}

func (a *app) showDeadList(out io.Writer, l *deadListed, groups bool) error {
	slices.SortFunc(l.Groups, func(x, y *deadGroup) int {
		return cmp.Or(strings.Compare(x.Stream, y.Stream), strings.Compare(x.Code, y.Code))
	})
	if a.json {
		return json.NewEncoder(out).Encode(l)
	}
	if len(l.Groups) > 0 && groups {
		t := ui.NewTable(out)
		t.Row("STREAM", "CODE", "RECORDS", "SIZE", "OLDEST", "NEWEST", "FIRST MESSAGE")
		for _, g := range l.Groups {
			t.Row(g.Stream, orDash(g.Code), ui.Count(g.Records), ui.Bytes(g.Bytes),
				g.Oldest.Local().Format(time.DateTime), g.Newest.Local().Format(time.DateTime), g.Message)
		}
		if err := t.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	if len(l.Files) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(out, "%s records, %s, in %d files\n", ui.Count(l.Records), ui.Bytes(l.Bytes), len(l.Files))
	return err
}

// deadInfo is a line of dead ls --records.
type deadInfo struct {
	File           string    `json:"file"`
	Line           int64     `json:"line"`
	Stream         string    `json:"stream"`
	Code           string    `json:"code"`
	Message        string    `json:"message"`
	Source         string    `json:"source,omitempty"`
	Position       int64     `json:"position,omitempty"`
	Attempts       int       `json:"attempts"`
	MaybeDelivered bool      `json:"maybe_delivered"`
	Bytes          int       `json:"bytes"`
	First          time.Time `json:"first"`
	Last           time.Time `json:"last"`
	Start          string    `json:"start"` // of the data, what can be printed of it
}

// deadRecords shows records one by one: a table would hold them all to align them.
func (a *app) deadRecords(out io.Writer) func(string, *deadLine) error {
	const row = "%-24s %-28s %-28s %8s %5s %10s  %s\n"
	enc := json.NewEncoder(out)
	if !a.json {
		fmt.Fprintf(out, row, "STREAM", "CODE", "FROM", "ATTEMPTS", "MAYBE", "SIZE", "DATA")
	}
	return func(name string, d *deadLine) error {
		if a.json {
			return enc.Encode(deadInfo{
				name, d.line, d.Stream, d.Code, d.Message, d.Source, d.Position, d.Attempts, d.MaybeDelivered,
				len(d.Data), d.First, d.Last, printable(d.Data),
			})
		}
		from, maybe := "-", "-"
		if d.Source != "" {
			from = fmt.Sprintf("%s:%d", d.Source, d.Position)
		}
		if d.MaybeDelivered {
			maybe = "maybe"
		}
		_, err := fmt.Fprintf(out, row, d.Stream, orDash(d.Code), printable([]byte(from)), fmt.Sprint(d.Attempts), maybe, ui.Bytes(int64(len(d.Data))), printable(d.Data))
		return err
	}
}

// printable is the start of data, fit for a terminal.
func printable(data []byte) string {
	data = bytes.TrimRight(data[:min(len(data), 60)], "\r\n")
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '.'
		}
		return r
	}, string(data))
}

func orDash(s string) string { return cmp.Or(s, "-") }

// parseSince reads a time, or how long ago it was.
func parseSince(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return time.Now().Add(-ago), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("%q is no time; write so long ago, such as 2h, or a time such as 2026-11-25T03:15:30Z", text)
	}
	return t, nil
}
