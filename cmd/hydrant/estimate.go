package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/spf13/cobra"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/internal/ui"
	"github.com/hydrant-go/hydrant/source"
	"github.com/hydrant-go/hydrant/wire"
)

func (a *app) estimate() *cobra.Command {
	var format, rateText, compress string
	cmd := &cobra.Command{
		Use:   "estimate FILE...",
		Short: "Tell what files would cost to send: record by record, in batches, packed",
		Long: `Tell what files would cost to send to Firehose, without sending anything and without
AWS. Firehose bills each record rounded up to 5,120 bytes; packing joins records into
larger ones, which S3 keeps as the same lines. With --rate it tells what a month of
such records costs, with --compress what compressed packs cost.

The prices are those of --region (default us-east-1), for Direct PUT ingestion alone.`,
		Example: `  hydrant estimate events.ndjson
  hydrant estimate --rate 5000records/s --region eu-west-1 day1.log.gz day2.log.gz`,
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := source.ParseFormat(format)
			if err != nil {
				return usageError("--format: %w", err)
			}
			rate, err := parseRate(rateText)
			if err != nil {
				return usageError("--rate: %w", err)
			}
			compression, err := parseCompression(compress)
			if err != nil {
				return err
			}
			cfg, err := a.aws(cmd.Context())
			if err != nil {
				return err
			}
			return a.runEstimate(cmd.Context(), args, f, rate, compression, cmp.Or(cfg.Region, "us-east-1"))
		},
	}
	cmd.Flags().StringVar(&format, "format", "auto", "auto, lines, ndjson or json (an array)")
	cmd.Flags().StringVar(&compress, "compress", "", "add what packs compressed by gzip or zstd cost")
	cmd.Flags().StringVar(&rateText, "rate", "", "what is put in a second, such as 5MiB or 2000records, for the cost of a month")
	return cmd
}

// way is one way to send the records of an estimate.
type way struct {
	Calls           int64   `json:"calls"`
	FirehoseRecords int64   `json:"firehose_records"`
	BilledBytes     int64   `json:"billed_bytes"`
	USD             float64 `json:"usd"`
	USDPerMonth     float64 `json:"usd_per_month,omitempty"`
}

// estimated is the result of estimate.
type estimated struct {
	Region         string `json:"region"`
	Records        int64  `json:"records"`
	RawBytes       int64  `json:"raw_bytes"` // with a newline each
	TooLarge       int64  `json:"too_large"` // over 1,024,000 bytes: they can't be sent
	Bad            int64  `json:"bad"`       // not of the input's format
	PutRecord      way    `json:"put_record"`
	PutRecordBatch way    `json:"put_record_batch"`
	Packed         way    `json:"packed"`
	Compressed     *way   `json:"packed_compressed,omitempty"`
	PricesAsOf     string `json:"prices_as_of"`
	PriceNote      string `json:"price_note,omitempty"`
}

func (a *app) runEstimate(ctx context.Context, files []string, format source.Format, rate hydrant.Rate, compression hydrant.Compression, region string) error {
	if _, err := sizeOf(files); err != nil {
		return err
	}
	price := wire.PriceIn(region)
	e := estimated{Region: region, PricesAsOf: wire.PricesAsOf, PriceNote: price.Note}
	var batch, pack, small filling
	squeeze, err := compressed(&small, compression)
	if err != nil {
		return err
	}
	for _, name := range files {
		if err := a.eachRecord(ctx, name, format, func(rec source.Record) {
			size := len(rec.Data)
			if size == 0 || rec.Data[size-1] != '\n' {
				size++
			}
			switch {
			case rec.Err != nil:
				e.Bad++
			case size > wire.MaxRecordBytes:
				e.TooLarge++
			default:
				e.Records++
				e.RawBytes += int64(size)
				batch.one(size)
				pack.packed(size)
				_, _ = squeeze.Write(rec.Data) // it only counts
				_, _ = io.WriteString(squeeze, "\n"[:size-len(rec.Data)])
			}
		}); err != nil {
			return fmt.Errorf("%s: %w", inputName(name), err)
		}
	}
	pack.endPack()
	if err := squeeze.Close(); err != nil {
		return err
	}
	small.endPack()
	e.PutRecord = way{Calls: e.Records, FirehoseRecords: e.Records, BilledBytes: batch.BilledBytes}
	e.PutRecordBatch, e.Packed = batch.way, pack.way
	month := 0.0 // how often this volume comes in a month
	switch {
	case e.Records == 0:
	case rate.Records > 0:
		month = rate.Records * wire.SecondsPerMonth / float64(e.Records)
	default:
		month = rate.Bytes * wire.SecondsPerMonth / float64(e.RawBytes)
	}
	ways := []*way{&e.PutRecord, &e.PutRecordBatch, &e.Packed}
	if compression != hydrant.CompressNone {
		e.Compressed = &small.way
		ways = append(ways, e.Compressed)
	}
	for _, w := range ways {
		w.USD = price.USD(w.BilledBytes)
		w.USDPerMonth = price.USD(int64(float64(w.BilledBytes) * month))
	}
	return a.showEstimate(e, month > 0)
}

func (a *app) eachRecord(ctx context.Context, name string, format source.Format, do func(source.Record)) error {
	in, err := a.open(ctx, name)
	if err != nil {
		return err
	}
	defer in.Close()
	for rec, err := range source.NewReader(in, format).Records() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		do(rec)
	}
	return nil
}

// filling counts the calls that records fill.
type filling struct {
	way
	records, bytes int // of the last call
	pack           int // bytes of the last pack
}

// one adds a record on its own.
func (f *filling) one(size int) {
	if f.Calls == 0 || f.records == wire.MaxBatchRecords || f.bytes+size > wire.MaxBatchBytes {
		f.Calls++
		f.records, f.bytes = 0, 0
	}
	f.records++
	f.bytes += size
	f.FirehoseRecords++
	f.BilledBytes += wire.BilledBytes(size)
}

// packed adds a record to a pack, as the producer does at full rate.
func (f *filling) packed(size int) {
	if f.pack+size > wire.MaxRecordBytes || f.bytes+f.pack+size > wire.MaxBatchBytes {
		f.endPack()
	}
	f.pack += size
}

func (f *filling) endPack() {
	if f.pack > 0 {
		f.one(f.pack)
		f.pack = 0
	}
}

// Write makes f count what a compressor writes.
func (f *filling) Write(b []byte) (int, error) {
	for part := range slices.Chunk(b, wire.MaxRecordBytes) {
		f.packed(len(part))
	}
	return len(b), nil
}

// compressed is what writes to f, compressed.
func compressed(f *filling, c hydrant.Compression) (io.WriteCloser, error) {
	switch c {
	case hydrant.CompressGzip:
		return gzip.NewWriter(f), nil
	case hydrant.CompressZstd:
		return zstd.NewWriter(f)
	}
	return uncounted{io.Discard}, nil
}

type uncounted struct{ io.Writer }

func (uncounted) Close() error { return nil }

func (a *app) showEstimate(e estimated, monthly bool) error {
	if a.json {
		return a.printJSON(e)
	}
	fmt.Fprintf(a.stdout, "%s records, %s, in %s\n\n", ui.Count(e.Records), ui.Bytes(e.RawBytes), e.Region)
	t := ui.NewTable(a.stdout)
	head := []string{"", "calls", "Firehose records", "billed", "", "cost"}
	if monthly {
		head = append(head, "a month")
	}
	t.Row(head...)
	type row struct {
		name string
		way
	}
	rows := []row{{"PutRecord", e.PutRecord}, {"PutRecordBatch", e.PutRecordBatch}, {"packed", e.Packed}}
	if e.Compressed != nil {
		rows = append(rows, row{"packed, compressed", *e.Compressed})
	}
	for _, row := range rows {
		cells := []string{
			row.name, ui.Count(row.Calls), ui.Count(row.FirehoseRecords), ui.Bytes(row.BilledBytes),
			times(row.BilledBytes, e.RawBytes), ui.Dollars(row.USD),
		}
		if monthly {
			cells = append(cells, ui.Dollars(row.USDPerMonth))
		}
		t.Row(cells...)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if e.TooLarge+e.Bad > 0 {
		fmt.Fprintf(a.stdout, "\nnot counted: %s records over %s bytes, %s not of the format\n",
			ui.Count(e.TooLarge), ui.Count(wire.MaxRecordBytes), ui.Count(e.Bad))
	}
	a.tell("prices as of %s, of ingestion alone", e.PricesAsOf)
	if e.PriceNote != "" {
		a.tell("note: %s", e.PriceNote)
	}
	return nil
}
