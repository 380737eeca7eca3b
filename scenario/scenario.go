// Package scenario is the guided workflow of AWS's "Firehose PutRecord and
// PutRecordBatch" example: set up a delivery stream, generate sample records, put
// some by PutRecord and the rest by PutRecordBatch, watch the metrics, read back
// what was delivered and compare it with what was sent, clean up.
//
// It runs on an embedded Firehose that refuses some records and fails some calls,
// so that retries are seen to work, or on an existing stream.
package scenario

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/wire"
)

// The workflow's numbers, as AWS's example gives them.
const (
	DefaultRecords    = 5550
	DefaultPutRecords = 100
)

// Config says how the workflow runs. The zero value is the embedded Firehose
// with the defaults of AWS's example.
type Config struct {
	// Stream is an existing delivery stream. Empty: an embedded Firehose.
	Stream string
	// AWS are the settings to reach Stream with.
	AWS aws.Config

	Records    int    // to generate; default 5,550
	PutRecords int    // of them, to put one by one; default 100, negative: none
	BatchSize  int    // most records of one PutRecordBatch; default 500
	Pack       bool   // pack what goes by PutRecordBatch, as the destination allows
	Seed       uint64 // of the sample records and the faults

	// Faults is what the embedded Firehose does wrong. Default FaultsSome.
	Faults Faults
	// Keep leaves the delivered files of the embedded Firehose in place.
	Keep bool
	// Wait bounds the wait for Stream's deliveries and metrics. Default: the
	// stream's buffer interval and two minutes.
	Wait time.Duration

	// DeadLetter is the path of the dead letter file. Default
	// hydrant-dead-letter.ndjson.
	DeadLetter string
	Logger     *slog.Logger // default slog.Default()

	// Step is called as each step begins, Say with what there is to tell of it.
	// Both may be nil.
	Step func(title string)
	Say  func(format string, args ...any)
}

// Faults names a degree of trouble.
type Faults string

const (
	FaultsNone  Faults = "none"
	FaultsSome  Faults = "some"  // a fifth of the records refused, some calls failed
	FaultsHeavy Faults = "heavy" // the same, and connections reset before and after storing
)

// Steps is how many times Config.Step is called.
const Steps = 7

// Report is the workflow's result.
type Report struct {
	Stream    string `json:"stream"`
	Region    string `json:"region"`
	Generated int    `json:"generated"`
	PutRecord Phase  `json:"put_record"`
	Batch     Phase  `json:"put_record_batch"`

	// Delivered counts the generated records that were found at the
	// destination, Duplicates their further copies there, Lost those that are
	// neither there nor in the dead letter. Where the destination can't be read,
	// ReadBack says why, and Delivered counts acknowledged records instead.
	Delivered    int    `json:"delivered"`
	DeadLettered int    `json:"dead_lettered"`
	Lost         int    `json:"lost"`
	Duplicates   int    `json:"duplicates"`
	ReadBack     string `json:"read_back"`

	// Metrics are sums of the stream's CloudWatch metrics since the start. Nil
	// where they can't be read, as MetricsError says.
	Metrics      map[string]float64 `json:"metrics"`
	MetricsError string             `json:"metrics_error,omitempty"`
	Kept         string             `json:"kept,omitempty"` // folder of the delivered files
}

// Phase is what one way of putting has done.
type Phase struct {
	Records        int     `json:"records"`
	Calls          int64   `json:"calls"`
	FailedCalls    int64   `json:"failed_calls"`
	Refused        int64   `json:"refused"` // records, each time; for PutRecord a refused record is a failed call
	Retries        int64   `json:"retries"`
	MaybeDuplicate int64   `json:"maybe_duplicate"`
	Delivered      int64   `json:"delivered"`
	RawBytes       int64   `json:"raw_bytes"`
	BilledBytes    int64   `json:"billed_bytes"`
	BilledUSD      float64 `json:"billed_usd"`
	// FirehoseRecords counts what was delivered as Firehose counts it: a pack is
	// one. UnpackedBilledBytes is what is billed without packs.
	FirehoseRecords     int64   `json:"firehose_records"`
	UnpackedBilledBytes int64   `json:"unpacked_billed_bytes"`
	Seconds             float64 `json:"seconds"`
}

func (c *Config) setDefaults() {
	if c.Records == 0 {
		c.Records = DefaultRecords
	}
	if c.PutRecords == 0 {
		c.PutRecords = DefaultPutRecords
	}
	c.PutRecords = min(max(c.PutRecords, 0), c.Records)
	if c.BatchSize == 0 {
		c.BatchSize = wire.MaxBatchRecords
	}
	if c.Faults == "" {
		c.Faults = FaultsSome
	}
	if c.DeadLetter == "" {
		c.DeadLetter = "hydrant-dead-letter.ndjson"
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Step == nil {
		c.Step = func(string) {}
	}
	if c.Say == nil {
		c.Say = func(string, ...any) {}
	}
}

func (c *Config) validate() error {
	var errs []error
	if c.Records < 0 {
		errs = append(errs, fmt.Errorf("the number of records is %d, it must be 1 or more", c.Records))
	}
	if c.BatchSize < 2 || c.BatchSize > wire.MaxBatchRecords {
		errs = append(errs, fmt.Errorf("the batch size is %d, it must be 2 to %d", c.BatchSize, wire.MaxBatchRecords))
	}
	switch c.Faults {
	case FaultsNone, FaultsSome, FaultsHeavy:
	default:
		errs = append(errs, fmt.Errorf("faults is %q, it must be %s, %s or %s", c.Faults, FaultsNone, FaultsSome, FaultsHeavy))
	}
	return errors.Join(errs...)
}

// Run runs the workflow. The report holds what was done even where an error cuts
// it short. What the workflow has set up is cleaned up in every case.
func Run(ctx context.Context, cfg Config) (report *Report, err error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	started := time.Now()
	w := &workflow{Config: cfg, ledger: newLedger(), report: &Report{}}
	w.dead = &noted{DeadLetterFile: hydrant.NewDeadLetterFile(cfg.DeadLetter), ledger: w.ledger}
	report = w.report

	cfg.Step("Set up")
	if w.site, err = setUp(ctx, &cfg); err != nil {
		return report, fmt.Errorf("set up: %w", err)
	}
	defer func() {
		cfg.Step("Clean up")
		err = errors.Join(err, w.site.cleanUp(context.WithoutCancel(ctx), w))
	}()
	report.Stream = w.site.stream

	if err := w.put(ctx); err != nil {
		return report, err
	}
	cfg.Step("Read the metrics from CloudWatch")
	w.metrics(ctx, started)
	cfg.Step("Read back what was delivered, and compare")
	return report, w.readBack(ctx, started)
}

// workflow is one run.
type workflow struct {
	Config
	site   *site
	ledger *ledger
	dead   *noted
	report *Report
}

// put generates the records and puts them, the first by PutRecord and the rest
// by PutRecordBatch.
func (w *workflow) put(ctx context.Context) error {
	w.Step(fmt.Sprintf("Generate %d sample records", w.Records))
	gen := NewGenerator(w.Seed)
	records := make([][]byte, w.Records)
	for i := range records {
		records[i] = gen.Append(nil)
		w.ledger.sent(records[i])
	}
	w.report.Generated = len(records)
	w.Say("such as %s", records[0])

	single, batch := records[:w.PutRecords], records[w.PutRecords:]
	w.Step(fmt.Sprintf("Put the first %d records by PutRecord", len(single)))
	var err error
	if w.report.PutRecord, err = w.phase(ctx, single, 1); err != nil {
		return fmt.Errorf("PutRecord: %w", err)
	}
	w.Step(fmt.Sprintf("Put the other %d records by PutRecordBatch, at most %d and 4 MiB a call", len(batch), w.BatchSize))
	if w.report.Batch, err = w.phase(ctx, batch, w.BatchSize); err != nil {
		return fmt.Errorf("PutRecordBatch: %w", err)
	}
	return nil
}

// phase puts records in pages and waits until each has met its fate.
func (w *workflow) phase(ctx context.Context, records [][]byte, page int) (Phase, error) {
	started := time.Now()
	packing := hydrant.PackOff // so that a page is what the flag says
	if w.Pack && page > 1 {
		packing = hydrant.PackAuto
	}
	p, err := hydrant.New(ctx, hydrant.Config{
		Stream: w.site.stream, AWS: &w.site.aws, BatchRecords: page, Packing: packing, DeadLetter: w.dead, Logger: w.Logger,
	})
	if err != nil {
		return Phase{}, err
	}
	_, err = p.PutBatch(ctx, records, nil)
	err = errors.Join(err, p.Close(ctx))
	s := p.Stats()
	phase := Phase{
		Records: len(records), Calls: s.Calls, FailedCalls: s.FailedCalls, Refused: s.Refused, Retries: s.Retries,
		MaybeDuplicate: s.MaybeDuplicate, Delivered: s.Delivered, RawBytes: s.DeliveredBytes, BilledBytes: s.BilledBytes,
		FirehoseRecords: s.FirehoseRecords, UnpackedBilledBytes: s.UnpackedBilledBytes, BilledUSD: s.BilledUSD,
		Seconds: time.Since(started).Seconds(),
	}
	w.Say("%d of %d records stored in %d calls", s.Delivered, len(records), s.Calls)
	if s.FailedCalls+s.Refused > 0 {
		w.Say("%d calls failed as a whole, and the answers of others refused %d records; %d records were sent again", s.FailedCalls, s.Refused, s.Retries)
	}
	return phase, err
}
