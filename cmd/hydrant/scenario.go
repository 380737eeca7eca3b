package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hydrant-go/hydrant/internal/ui"
	"github.com/hydrant-go/hydrant/scenario"
	"github.com/hydrant-go/hydrant/wire"
)

func (a *app) scenario() *cobra.Command {
	var (
		cfg    scenario.Config
		faults string
	)
	cmd := &cobra.Command{
		Use:   "scenario",
		Short: "Run the guided workflow: set up, generate, put, watch, compare, clean up",
		Long: `Run the guided workflow: set up a delivery stream, generate sample records, put the
first ones by PutRecord and the rest by PutRecordBatch, show the stream's metrics,
read back what was delivered and compare it with what was sent, clean up.

With no --stream it starts a Firehose of its own, which needs no AWS account. That
one refuses a fifth of the records at first and fails some calls, so that retries
are seen to work.`,
		Example: `  hydrant scenario
  hydrant scenario --faults heavy
  hydrant scenario --stream my-stream --records 1000`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cfg.Stream == "" && cmd.Flags().Changed("stream") {
				return usageError("--stream is empty, it must be the name of a delivery stream")
			}
			if cfg.Stream != "" && (cmd.Flags().Changed("faults") || cfg.Keep) {
				return usageError("--faults and --keep are for the embedded Firehose; they do not go with --stream")
			}
			if cfg.Records < 1 {
				return usageError("--records is %d, it must be 1 or more", cfg.Records)
			}
			if cfg.PutRecords < 0 {
				return usageError("--put-records is %d, it must not be negative", cfg.PutRecords)
			}
			if cfg.PutRecords == 0 {
				cfg.PutRecords = -1 // the zero value means the default there
			}
			if cfg.BatchSize < 2 || cfg.BatchSize > 500 {
				return usageError("--batch-size is %d, it must be 2 to 500", cfg.BatchSize)
			}
			cfg.Faults = scenario.Faults(faults)
			switch cfg.Faults {
			case scenario.FaultsNone, scenario.FaultsSome, scenario.FaultsHeavy:
			default:
				return usageError("--faults is %q, it must be none, some or heavy", faults)
			}
			return a.runScenario(cmd, cfg)
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.Stream, "stream", "", "run on this existing delivery stream, with the AWS settings (default: a Firehose of our own)")
	f.IntVar(&cfg.Records, "records", scenario.DefaultRecords, "how many records to generate")
	f.IntVar(&cfg.PutRecords, "put-records", scenario.DefaultPutRecords, "how many of them to put one by one, by PutRecord")
	f.IntVar(&cfg.BatchSize, "batch-size", 500, "most records of one PutRecordBatch, 2 to 500")
	f.BoolVar(&cfg.Pack, "pack", false, "pack the records of PutRecordBatch into larger ones, as send does")
	f.Uint64Var(&cfg.Seed, "seed", 1, "the same seed makes the same records and faults")
	f.StringVar(&faults, "faults", string(scenario.FaultsSome), "trouble that our own Firehose makes: none, some or heavy (with lost answers)")
	f.BoolVar(&cfg.Keep, "keep", false, "leave the delivered files in place")
	f.DurationVar(&cfg.Wait, "wait", 0, "longest wait for --stream's deliveries and metrics (default: its buffer interval and 2 minutes)")
	f.StringVar(&cfg.DeadLetter, "dead-letter", defaultDeadLetter, "file for records that can't be delivered")
	return cmd
}

func (a *app) runScenario(cmd *cobra.Command, cfg scenario.Config) error {
	ctx := cmd.Context()
	if cfg.Stream != "" {
		var err error
		if cfg.AWS, err = a.aws(ctx); err != nil {
			return err
		}
	}
	steps := ui.NewSteps(a.stderr, scenario.Steps)
	cfg.Logger, cfg.Step, cfg.Say = a.log, steps.Begin, steps.Detail
	started := time.Now()
	report, err := scenario.Run(ctx, cfg)
	steps.End()
	if report != nil && report.Generated > 0 {
		if err := a.showScenario(report, time.Since(started)); err != nil {
			return err
		}
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return &exitError{exitInterrupted, fmt.Errorf("interrupted: %w", err)}
	case err != nil:
		return err
	case report.Lost > 0:
		return &exitError{exitGaveUp, fmt.Errorf("%d records are not at the destination\nhint: they may still be in the stream's buffer; --wait waits longer", report.Lost)}
	case report.DeadLettered > 0:
		return &exitError{exitDeadLetter, fmt.Errorf("%d records are in the dead letter, %s", report.DeadLettered, cfg.DeadLetter)}
	}
	return nil
}

func (a *app) showScenario(r *scenario.Report, took time.Duration) error {
	if a.json {
		return a.printJSON(r)
	}
	fmt.Fprintln(a.stderr)
	t := ui.NewTable(a.stdout)
	t.Row("", "PutRecord", "PutRecordBatch")
	row := func(name string, value func(scenario.Phase) string) {
		t.Row(name, value(r.PutRecord), value(r.Batch))
	}
	row("records", func(p scenario.Phase) string { return ui.Count(int64(p.Records)) })
	row("calls", func(p scenario.Phase) string { return ui.Count(p.Calls) })
	row("failed calls", func(p scenario.Phase) string { return ui.Count(p.FailedCalls) })
	row("refused records", func(p scenario.Phase) string { return ui.Count(p.Refused) })
	row("sent again", func(p scenario.Phase) string { return ui.Count(p.Retries) })
	row("raw bytes", func(p scenario.Phase) string { return ui.Bytes(p.RawBytes) })
	row("Firehose records", func(p scenario.Phase) string { return ui.Count(p.FirehoseRecords) })
	row("billed bytes", func(p scenario.Phase) string { return ui.Bytes(p.BilledBytes) })
	row("billed", func(p scenario.Phase) string { return ui.Dollars(p.BilledUSD) })
	row("if packed", func(p scenario.Phase) string { return ui.Bytes(wire.BilledBytes(int(p.RawBytes))) })
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "\n%s records generated, %s delivered, %s in the dead letter, %s lost, %s duplicates, in %s\n",
		ui.Count(int64(r.Generated)), ui.Count(int64(r.Delivered)), ui.Count(int64(r.DeadLettered)),
		ui.Count(int64(r.Lost)), ui.Count(int64(r.Duplicates)), ui.Duration(took))
	return nil
}
