package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/infra"
	"github.com/hydrant-go/hydrant/internal/ui"
	"github.com/hydrant-go/hydrant/wire"
)

// streamFlag lets a verb's first argument, the stream, be given by a stack that
// hydrant deploy has set up.
type streamFlag struct{ stack string }

func (s *streamFlag) flag(f *pflag.FlagSet) {
	f.StringVar(&s.stack, "stack", "", "the delivery stream of this CloudFormation stack, instead of naming one")
}

// args checks the arguments by a check that counts the stream among them.
func (s *streamFlag) args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return arguments(func(cmd *cobra.Command, args []string) error {
		if s.stack != "" {
			args = append([]string{s.stack}, args...)
		}
		return check(cmd, args)
	})
}

// resolve returns the stream, and the arguments that come after it.
func (s *streamFlag) resolve(ctx context.Context, a *app, args []string) (stream string, rest []string, err error) {
	if s.stack != "" {
		stream, err = a.streamOf(ctx, s.stack)
		return stream, args, err
	}
	if err := wire.CheckStreamName(args[0]); err != nil {
		return "", nil, usageError("%w", err)
	}
	return args[0], args[1:], nil
}

// named puts the stack's stream among the arguments, if it was given so.
func (s *streamFlag) named(ctx context.Context, a *app, args []string) ([]string, error) {
	if s.stack == "" {
		return args, nil
	}
	stream, err := a.streamOf(ctx, s.stack)
	return append([]string{stream}, args...), err
}

// streamOf is the delivery stream of a stack.
func (a *app) streamOf(ctx context.Context, stack string) (string, error) {
	if err := infra.CheckStackName(stack); err != nil {
		return "", usageError("--stack: %w", err)
	}
	cfg, err := a.aws(ctx)
	if err != nil {
		return "", err
	}
	return infra.StreamName(ctx, cfg, stack)
}

// pairs reads NAME=VALUE arguments of a flag that may be given more than once. Nil
// for none.
func pairs(flag string, list []string) (map[string]string, error) {
	var all map[string]string
	for _, text := range list {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, usageError("%s is %q, it must be NAME=VALUE", flag, text)
		}
		if _, twice := all[name]; twice {
			return nil, usageError("%s %s is given twice", flag, name)
		}
		if all == nil {
			all = map[string]string{}
		}
		all[name] = value
	}
	return all, nil
}

// stackProgress shows on stderr how CloudFormation goes on.
type stackProgress struct {
	list *ui.List
	told time.Time // when a line of emptying was last told
}

func (a *app) stackProgress() *stackProgress { return &stackProgress{list: ui.NewList(a.stderr)} }

func (p *stackProgress) callbacks() infra.Callbacks {
	return infra.Callbacks{Event: p.event, Say: p.list.Say, Emptied: p.emptied}
}

func (p *stackProgress) event(e infra.Event) {
	line := strings.TrimRight(fmt.Sprintf("%s  %-18s  %-38s  %s  %s", e.Time.Local().Format(time.TimeOnly), e.Status, e.Type, e.LogicalID, e.Reason), " ")
	if e.Failed() { // stays to be seen when the row tells of what came after
		p.list.Say("%s", line)
		line = ""
	}
	p.list.Set(e.LogicalID, line, e.Status, e.Type, e.LogicalID, e.Reason)
}

// emptied tells of a bucket every ten seconds where there is no terminal.
func (p *stackProgress) emptied(bucket string, sum admin.Emptied) {
	line := ""
	if time.Since(p.told) > 10*time.Second {
		line = fmt.Sprintf("%s  removed %s from bucket %s", time.Now().Format(time.TimeOnly), held(sum), bucket)
		p.told = time.Now()
	}
	p.list.Set("bucket "+bucket, line, "EMPTYING", "", bucket, held(sum)+" removed")
}

// held is what is in a bucket, in words.
func held(e admin.Emptied) string {
	text := fmt.Sprintf("%s (%s)", count(e.Versions, "object"), ui.Bytes(e.Bytes))
	if e.Markers > 0 {
		text += ", " + count(e.Markers, "delete marker")
	}
	if e.Uploads > 0 {
		text += ", " + count(e.Uploads, "unfinished upload")
	}
	return text
}

func count(n int64, what string) string {
	if n != 1 {
		what += "s"
	}
	return ui.Count(n) + " " + what
}

// leftToItself is the end of a verb that was interrupted while CloudFormation works.
func leftToItself(ctx context.Context, err error, hint string) error {
	if ctx.Err() == nil || !errors.Is(err, context.Canceled) {
		return err
	}
	return &exitError{exitInterrupted, fmt.Errorf("interrupted; what CloudFormation has begun goes on without us\nhint: %s", hint)}
}

// isTerminal tells of a person who can be asked.
func isTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// ask reads an answer. An interrupt ends the wait for it; the goroutine that reads ends
// with the process then, as nothing else ends a read from a terminal.
func (a *app) ask(ctx context.Context, question string) (bool, error) {
	fmt.Fprint(a.stderr, question)
	answer := make(chan string, 1)
	go func() {
		var line []byte
		for b := make([]byte, 1); ; {
			if n, err := a.stdin.Read(b); n == 0 || err != nil || b[0] == '\n' {
				break
			}
			line = append(line, b[0])
		}
		answer <- strings.ToLower(strings.TrimSpace(string(line)))
	}()
	select {
	case text := <-answer:
		return text == "y" || text == "yes", nil
	case <-ctx.Done():
		fmt.Fprintln(a.stderr)
		return false, ctx.Err()
	}
}
