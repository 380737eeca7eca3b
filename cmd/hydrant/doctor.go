package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/spf13/cobra"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/internal/ui"
	"github.com/hydrant-go/hydrant/wire"
)

// checkTime bounds each check of doctor.
const checkTime = 5 * time.Second

type doctorOptions struct {
	of    streamFlag
	put   bool
	spool string
}

func (a *app) doctor() *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor [STREAM]",
		Short: "Check settings, permissions, a delivery stream and what it delivers, each with cause and remedy",
		Long: `Check one thing after the other, and tell of each whether it is well, and if not why, and
what to do: the AWS settings, the way to the services, this machine's clock, what the
caller may do, the delivery stream, its destination, the errors and metrics of the last
hour, and how records would be packed. Without STREAM, the general things and the state of
each stream.

Nothing is changed, and nothing is put unless --put is given. Each check takes 5 seconds
at most; what can't be checked, as without credentials, is named.

Exit codes: 0 nothing has failed, 1 something has.`,
		Example: `  hydrant doctor
  hydrant doctor my-stream --put --spool /var/spool/app
  hydrant doctor my-stream --json | jq '.checks[] | select(.status == "failed")'`,
		Args: o.of.args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			args, err := o.of.named(cmd.Context(), a, args)
			if err != nil {
				return err
			}
			if len(args) == 0 && o.put {
				return usageError("--put needs a STREAM to put a record into")
			}
			c := &checkup{app: a, options: o, lacks: map[string]string{}}
			if len(args) > 0 {
				c.stream = args[0]
				if err := wire.CheckStreamName(c.stream); err != nil {
					return usageError("%w", err)
				}
			}
			return c.run(cmd.Context())
		},
	}
	o.of.flag(cmd.Flags())
	cmd.Flags().BoolVar(&o.put, "put", false, "put one record into STREAM, which will be delivered as any other")
	cmd.Flags().StringVar(&o.spool, "spool", "", "look at this spool as well: whether it can be written, and has room")
	return cmd
}

// What a check has found. The words are part of the JSON contract.
const (
	statusOK      = "ok"
	statusWarning = "warning"
	statusFailed  = "failed"
	statusSkipped = "skipped"
)

// finding is what a check tells.
type finding struct {
	Check  string `json:"check"`
	Status string `json:"status"`
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"`
}

// checkup is one run of doctor. Its checks run one after the other, and what one has
// learnt the later ones use.
type checkup struct {
	*app
	options doctorOptions
	stream  string // or "", for all

	name     string // of the check that runs
	findings []finding
	lacks    map[string]string // what is not there that checks need, and why

	cfg         aws.Config
	account     string
	endpoints   map[string]string // URL by service
	ahead       time.Duration     // of our clock, if the service has told its own
	clockKnown  bool
	description *types.DeliveryStreamDescription
}

// check is a thing that is looked at. It needs what others find; a check that fails
// without more puts what it was to find into lacks.
type check struct {
	name  string
	needs []string
	run   func(context.Context)
}

// Things that checks need.
const (
	needSettings    = "settings"
	needCredentials = "credentials"
	needFirehose    = "Firehose"
	needExists      = "the stream"
	needStream      = "the stream's description"
)

func (c *checkup) checks() []check {
	list := []check{
		{"version", nil, c.checkVersion},
		{"settings", nil, c.checkSettings},
		{"credentials", []string{needSettings}, c.checkCredentials},
		{"endpoints", []string{needSettings}, c.checkEndpoints},
		{"clock", []string{needSettings, needFirehose}, c.checkClock},
	}
	if c.options.spool != "" {
		list = append(list, check{"spool", nil, c.checkSpool})
	}
	calls := []string{needSettings, needCredentials}
	list = append(list, check{"identity", calls, c.checkIdentity})
	calls = append(calls, needFirehose)
	if c.stream == "" {
		return append(list, check{"streams", calls, c.checkStreams}, check{"permissions", calls, c.checkPermissions})
	}
	stream := append(calls[:len(calls):len(calls)], needStream)
	return append(list,
		check{"stream", calls, c.checkStream},
		check{"permissions", calls, c.checkPermissions},
		check{"encryption", stream, c.checkEncryption},
		check{"packing", stream, c.checkPacking},
		check{"destination", stream, c.checkDestination},
		check{"deliveries", stream, c.checkDeliveries},
		check{"metrics", stream, c.checkMetrics},
		check{"put", append(calls, needExists), c.checkPut},
	)
}

func (c *checkup) run(ctx context.Context) error {
	for _, k := range c.checks() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c.name = k.name
		if why := c.missing(k.needs); why != "" {
			c.add(statusSkipped, "", "not checked: %s", why)
			continue
		}
		limited, cancel := context.WithTimeoutCause(ctx, checkTime, errCheckTime)
		k.run(limited)
		cancel()
	}
	return c.sumUp(ctx)
}

var errCheckTime = fmt.Errorf("no answer within %v", checkTime)

func (c *checkup) missing(needs []string) string {
	for _, need := range needs {
		if why := c.lacks[need]; why != "" {
			return why
		}
	}
	return ""
}

func (c *checkup) add(status, remedy, format string, args ...any) {
	f := finding{c.name, status, fmt.Sprintf(format, args...), remedy}
	c.findings = append(c.findings, f)
	if c.json {
		return
	}
	fmt.Fprintf(c.stdout, "%-8s %-12s %s\n", f.Status, f.Check, ui.OneLine(f.Text))
	if f.Remedy != "" {
		fmt.Fprintf(c.stdout, "%21s hint: %s\n", "", ui.OneLine(f.Remedy))
	}
}

func (c *checkup) ok(format string, args ...any) { c.add(statusOK, "", format, args...) }

func (c *checkup) warn(remedy, format string, args ...any) {
	c.add(statusWarning, remedy, format, args...)
}

func (c *checkup) fail(remedy, format string, args ...any) {
	c.add(statusFailed, remedy, format, args...)
}

// trouble adds an error, with the remedy that is known for it or else another one.
func (c *checkup) trouble(ctx context.Context, status string, err error, remedy string) {
	cause, hint := c.explained(ctx, err)
	c.add(status, cmp.Or(hint, remedy), "%s", cause)
}

// explained is the cause of an error and what to do about it.
func (c *checkup) explained(ctx context.Context, err error) (cause, hint string) {
	if ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded) && errors.Is(context.Cause(ctx), errCheckTime) {
		return errCheckTime.Error(), "check the network between here and the service, and any proxy"
	}
	cause, hint, _ = strings.Cut(admin.Explain(err).Error(), "\nhint: ")
	return cause, hint
}

// checked is the JSON of doctor.
type checked struct {
	Stream   string    `json:"stream,omitempty"`
	Region   string    `json:"region,omitempty"`
	Account  string    `json:"account,omitempty"`
	Endpoint string    `json:"endpoint,omitempty"` // of Firehose
	OK       int       `json:"ok"`
	Warnings int       `json:"warnings"`
	Failed   int       `json:"failed"`
	Skipped  int       `json:"skipped"`
	Checks   []finding `json:"checks"`
}

func (c *checkup) sumUp(ctx context.Context) error {
	out := checked{Stream: c.stream, Region: c.cfg.Region, Account: c.account, Endpoint: c.endpoints["Firehose"], Checks: c.findings}
	for _, f := range c.findings {
		switch f.Status {
		case statusOK:
			out.OK++
		case statusWarning:
			out.Warnings++
		case statusFailed:
			out.Failed++
		case statusSkipped:
			out.Skipped++
		}
	}
	if c.json {
		if err := c.printJSON(out); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(c.stdout, "\n%d well, %d warnings, %d failed, %d not checked\n", out.OK, out.Warnings, out.Failed, out.Skipped)
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case out.Failed > 0:
		return &exitError{code: exitFailed} // all is told
	}
	return nil
}

func (c *checkup) checkVersion(context.Context) {
	c.ok("hydrant %s, %s, %s/%s", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
