// Command hydrant puts records into Amazon Data Firehose, and runs a Firehose of
// its own to try and test with. See docs/CLI.md.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	_ "time/tzdata" // time zones of keys, on systems that have none

	"github.com/spf13/cobra"

	"github.com/hydrant-go/hydrant/admin"
)

// Exit codes, as promised in docs/CLI.md.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitDeadLetter  = 3 // some records are in the dead letter
	exitGaveUp      = 4 // not all was sent
	exitInterrupted = 130
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// app is what every verb shares: its streams and the flags of the root.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	json                bool
	logLevel, logFormat string
	profile, region     string
	endpoint            string

	log *slog.Logger
}

// exitError is an error that ends the command with a code other than 1. With a
// nil err nothing more is printed: the verb has told all.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// run is the whole command. The first interrupt cancels the verb's context; the
// second one ends the process at once.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // back to the system's own handling, which kills

	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	code := exitFailed
	if e, ok := errors.AsType[*exitError](err); ok {
		code = e.code
	} else if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	a.explain(err)
	return code
}

// explain prints an error for people: the cause, and what to do on a line of its
// own.
func (a *app) explain(err error) {
	if text := admin.Explain(err).Error(); text != "" {
		fmt.Fprintln(a.stderr, "hydrant:", strings.TrimPrefix(text, "hydrant: "))
	}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "hydrant",
		Short: "Put records into Amazon Data Firehose: fast, cheap, with nothing lost",
		Long: `Hydrant puts records into Amazon Data Firehose, and runs a Firehose of its own to
try and test with.

Start with:  hydrant scenario

Settings come from where the AWS SDK looks for them: AWS_PROFILE, AWS_REGION,
AWS_ENDPOINT_URL_FIREHOSE, ~/.aws and the instance's role.`,
		Version:       version(),
		Args:          cobra.ArbitraryArgs,
		RunE:          verbsOnly,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Name() == "tail" && !cmd.Flags().Changed("log-level") {
				a.logLevel = "warn" // it runs for months, and nobody waits for its result
			}
			var err error
			a.log, err = newLogger(a.stderr, a.logLevel, a.logFormat)
			return err
		},
	}
	flags := root.PersistentFlags()
	flags.BoolVar(&a.json, "json", false, "print the result as JSON")
	flags.StringVar(&a.logLevel, "log-level", "error", "what to log on stderr: debug, info, warn or error; tail's default is warn")
	flags.StringVar(&a.logFormat, "log-format", "text", "how to log: text or json")
	flags.StringVar(&a.profile, "profile", "", "profile in the AWS configuration files (default $AWS_PROFILE)")
	flags.StringVar(&a.region, "region", "", "AWS region (default $AWS_REGION)")
	flags.StringVar(&a.endpoint, "endpoint-url", "", "URL of Firehose, and of other services that have no variable of their own (default $AWS_ENDPOINT_URL_FIREHOSE, $AWS_ENDPOINT_URL, or AWS's own)")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError("%w\nhint: %s --help lists the flags", err, cmd.CommandPath())
	})
	root.AddCommand(a.scenario(), a.generate(), a.put(), a.send(), a.tail(), a.estimate(), a.replay(), a.dead(), a.spool(), a.health(), a.local(), a.streams(), a.metrics(), a.logs(), a.deploy(), a.destroy())
	return root
}

func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// arguments wraps cobra's check of the argument count, to exit with the code
// for usage and show the form.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError("%w\nhint: the form is: %s", err, cmd.UseLine())
		}
		return nil
	}
}

// noArgs is for verbs that take flags only.
var noArgs = arguments(func(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("there is nothing to do with %q", args[0])
	}
	return nil
})

// verbsOnly is the RunE of a command that only groups others.
func verbsOnly(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	hint := cmd.CommandPath() + " --help lists the verbs"
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return usageError("%s has no verb %q\nhint: %s", cmd.CommandPath(), args[0], hint)
}

func newLogger(w io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usageError("--log-level is %q, it must be debug, info, warn or error", level)
	}
	options := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, usageError("--log-format is %q, it must be text or json", format)
}

// printJSON prints v as one line of JSON on stdout.
func (a *app) printJSON(v any) error { return json.NewEncoder(a.stdout).Encode(v) }

// tell prints a line for people on stderr.
func (a *app) tell(format string, args ...any) { fmt.Fprintf(a.stderr, format+"\n", args...) }

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "devel"
}
