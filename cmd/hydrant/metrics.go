package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/spf13/cobra"

	"github.com/hydrant-go/hydrant/admin"
	"github.com/hydrant-go/hydrant/internal/ui"
)

type metricsOptions struct {
	of       streamFlag
	since    string
	period   time.Duration
	every    time.Duration // 0: once
	terminal *ui.Terminal  // nil: plain tables
}

func (a *app) metrics() *cobra.Command {
	var o metricsOptions
	cmd := &cobra.Command{
		Use:   "metrics [STREAM]",
		Short: "Show what comes into a delivery stream, what it delivers, and how near its quota it is",
		Long: `Show a delivery stream's metrics from CloudWatch: what comes in and is throttled, the
share of its quota, what is delivered, what fails, and how old the oldest record is that
waits. Without STREAM, a line for each stream of the account and region.

On a terminal each metric is a line of bars that begin at 0, one for each period, the
last one still running. A blank is a period that nothing is known of.

AWS publishes a minute's metrics a minute or more after its end; hydrant local at
once. CloudWatch keeps minutes for 15 days, five minutes for 63, hours for 455.`,
		Example: `  hydrant metrics my-stream
  hydrant metrics my-stream --since 7d
  hydrant metrics --watch
  hydrant metrics my-stream --json | jq .throttled_records`,
		Args: o.of.args(func(cmd *cobra.Command, args []string) error {
			for _, arg := range args {
				if _, err := time.ParseDuration(arg); err == nil && cmd.Flags().Changed("watch") {
					return fmt.Errorf("%q is taken for a stream; write --watch=%s", arg, arg)
				}
			}
			return cobra.MaximumNArgs(1)(cmd, args)
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			if w := cmd.Flags().Lookup("watch"); w.Changed && o.every < time.Second {
				return usageError("--watch is %s, it must be 1s or more", w.Value)
			}
			return a.runMetrics(cmd.Context(), &o, args)
		},
	}
	f := cmd.Flags()
	o.of.flag(f)
	f.StringVar(&o.since, "since", "1h", "how far to look back, such as 30m, 12h or 7d, or from when, such as 2026-11-25T14:00:00Z")
	f.DurationVar(&o.period, "period", 0, "time that a value is of, a multiple of a minute (default: so that the terminal is filled)")
	f.DurationVar(&o.every, "watch", 0, "show it again each minute, or as often as --watch=10s says, until interrupted")
	f.Lookup("watch").NoOptDefVal = time.Minute.String()
	return cmd
}

func (a *app) runMetrics(ctx context.Context, o *metricsOptions, args []string) error {
	args, err := o.of.named(ctx, a, args)
	if err != nil {
		return err
	}
	cfg, err := a.aws(ctx)
	if err != nil {
		return err
	}
	if !a.json {
		o.terminal = ui.TerminalOf(a.stdout)
	}
	m := a.meter(cfg, o, args)
	if o.every > 0 {
		return m.follow(ctx)
	}
	return m.show(ctx, time.Now())
}

func (a *app) meter(cfg aws.Config, o *metricsOptions, args []string) *metering {
	return &metering{app: a, metricsOptions: o, args: args, firehose: firehose.NewFromConfig(cfg), cloudwatch: cloudwatch.NewFromConfig(cfg)}
}

// metering shows metrics, once or again and again.
type metering struct {
	*app
	*metricsOptions
	args       []string
	firehose   *firehose.Client
	cloudwatch *cloudwatch.Client
	target     *metricTarget // of the one stream; nil until it is known
	shown      string        // last
}

// follow shows the metrics until ctx ends, which is a good end. Once they were shown, an
// error is told and the next time waited for.
func (m *metering) follow(ctx context.Context) error {
	tick := time.NewTicker(m.every)
	defer tick.Stop()
	for first := true; ; first = false {
		now := time.Now()
		err := m.show(ctx, now)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && first:
			return err
		case err != nil && m.terminal != nil:
			text := m.shown + "\nhydrant: " + admin.Explain(err).Error() + "\n"
			if err := m.terminal.Redraw(text); err != nil {
				return err
			}
		case err != nil:
			m.explain(err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// show shows the metrics up to now.
func (m *metering) show(ctx context.Context, now time.Time) error {
	w, err := m.window(now)
	if err != nil {
		return err
	}
	names, all, err := m.streamNames(ctx, m.firehose, m.args)
	if err != nil {
		return err
	}
	if all {
		return m.showAll(ctx, names, w, now)
	}
	return m.showOne(ctx, names[0], w, now)
}

func (m *metering) showOne(ctx context.Context, name string, w admin.Window, now time.Time) error {
	if m.target == nil {
		t, err := m.findTarget(ctx, name)
		if err != nil {
			return err
		}
		m.target = &t
	}
	list, err := readMetrics(ctx, m.cloudwatch, []string{name}, m.target.figures, w)
	if err != nil {
		return err
	}
	r := list[0]
	notes := []string{m.target.note}
	if r.known == 0 {
		notes = append(notes, nothingYet(name, w))
	}
	if m.json {
		return m.print(oneJSON(r, m.target), notes, now)
	}
	return m.print(m.oneText(r), notes, now)
}

// findTarget asks where the stream delivers to. Who may not ask sees the metrics of S3,
// where most streams deliver to.
func (m *metering) findTarget(ctx context.Context, name string) (metricTarget, error) {
	d, err := admin.Describe(ctx, m.firehose, name)
	if err == nil {
		return targetOf(d), nil
	}
	if !admin.IsDenied(err) {
		return metricTarget{}, err
	}
	t := unknownTarget()
	cause, _, _ := strings.Cut(admin.Explain(err).Error(), "\n")
	t.note = "the metrics of a delivery to S3 are shown, for where the stream delivers to could not be asked (" + cause + ")"
	return t, nil
}

func (m *metering) showAll(ctx context.Context, names []string, w admin.Window, now time.Time) error {
	list, err := readMetrics(ctx, m.cloudwatch, names, everyTarget, w)
	if err != nil {
		return err
	}
	var notes []string
	if len(names) == 0 {
		notes = append(notes, "no delivery streams in this account and region")
	}
	quiet := 0
	for _, r := range list {
		if r.known == 0 {
			quiet++
		}
	}
	if quiet > 0 && quiet == len(list) {
		notes = append(notes, nothingYet("any stream", w))
	}
	if m.json {
		return m.print(allJSON(list, w), notes, now)
	}
	return m.print(m.allText(list, w), notes, now)
}

func nothingYet(of string, w admin.Window) string {
	return fmt.Sprintf("no data points of %s since %s; CloudWatch shows a stream's metrics a few minutes after its first records", of, minuteText(w.From))
}

func minuteText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// print writes what is shown to stdout, in place where that is watched on a terminal,
// and the notes to stderr.
func (m *metering) print(out any, notes []string, now time.Time) error {
	told := strings.Join(notEmpty(notes), "\n")
	text, isText := out.(string)
	if m.every > 0 && m.terminal != nil {
		m.shown = text + told
		if told != "" {
			m.shown += "\n"
		}
		m.shown += fmt.Sprintf("\nat %s, again every %s; Ctrl-C ends it\n", now.UTC().Format("15:04:05 UTC"), m.every)
		return m.terminal.Redraw(m.shown)
	}
	if told != "" {
		m.tell("%s", told)
	}
	if !isText {
		return m.printJSON(out)
	}
	if m.every > 0 && m.shown != "" && text != "" {
		text = "\n" + text // the tables of a watch that is written to a file
	}
	m.shown = cmp.Or(text, m.shown)
	_, err := fmt.Fprint(m.stdout, text)
	return err
}

func notEmpty(list []string) (kept []string) {
	for _, s := range list {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return kept
}

// defaultColumns is how many periods there are at most where no terminal says how
// many fit.
const defaultColumns = 60

// window is what the options ask for, up to now.
func (m *metering) window(now time.Time) (admin.Window, error) {
	from, err := ui.ParseSince(m.since, now)
	if err != nil {
		return admin.Window{}, usageError("--since: %w", err)
	}
	period := m.period
	if period == 0 {
		columns := defaultColumns
		if m.terminal != nil {
			columns, _ = m.terminal.Size()
			columns = max(10, columns-besideBars)
		}
		period = fittingPeriod(now.Sub(from), columns, admin.FinestPeriod(from))
	}
	w, err := admin.NewWindow(from, now, period)
	if err != nil {
		return w, usageError("--period: %w\nhint: leave it out, and a good one is chosen", err)
	}
	if w.Periods() == 0 {
		return w, usageError("--since: %w", errors.New("that is now; there is nothing to look back on"))
	}
	return w, nil
}

// fittingPeriod is the shortest of the periods that people count in, of which no more
// than so many cover a time.
func fittingPeriod(length time.Duration, columns int, finest time.Duration) time.Duration {
	for _, minutes := range []time.Duration{1, 2, 3, 5, 10, 15, 20, 30, 60, 2 * 60, 3 * 60, 4 * 60, 6 * 60, 12 * 60} {
		if p := minutes * time.Minute; p >= finest && length <= time.Duration(columns)*p {
			return p
		}
	}
	const day = 24 * time.Hour
	days := (length + time.Duration(columns)*day - 1) / (time.Duration(columns) * day)
	return max(1, days) * day
}
