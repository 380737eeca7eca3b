package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/hydrant-go/hydrant/scenario"
)

func (a *app) generate() *cobra.Command {
	var (
		records int64
		seed    uint64
		format  string
		output  string
	)
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Make sample records: network events with ip_address, timestamp and alert_level",
		Example: `  hydrant generate --records 1000000 -o sample.ndjson
  hydrant generate --records 10 --format json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if records < 0 {
				return usageError("--records is %d, it must not be negative", records)
			}
			if format != "ndjson" && format != "json" {
				return usageError("--format is %q, it must be ndjson or json", format)
			}
			bytes, err := a.writeSample(cmd.Context(), output, records, seed, format == "json")
			if err != nil {
				return err
			}
			if !a.json {
				return nil
			}
			result := map[string]any{"records": records, "bytes": bytes, "seed": seed, "format": format, "output": output}
			if output == "-" { // stdout holds the records
				return json.NewEncoder(a.stderr).Encode(result)
			}
			return a.printJSON(result)
		},
	}
	cmd.Flags().Int64VarP(&records, "records", "n", scenario.DefaultRecords, "how many")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "the same seed makes the same records")
	cmd.Flags().StringVar(&format, "format", "ndjson", "ndjson (a record on each line) or json (an array)")
	cmd.Flags().StringVarP(&output, "output", "o", "-", "file to write, - for stdout")
	return cmd
}

// writeSample writes the records to the file at path, or to stdout for "-". A
// file appears under its name only when it is whole.
func (a *app) writeSample(ctx context.Context, path string, records int64, seed uint64, array bool) (written int64, err error) {
	if path == "-" {
		return sample(ctx, a.stdout, records, seed, array)
	}
	f, err := os.Create(path + ".partial")
	if err != nil {
		return 0, err
	}
	written, err = sample(ctx, f, records, seed, array)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(f.Name())
		return 0, err
	}
	return written, os.Rename(f.Name(), path)
}

func sample(ctx context.Context, w io.Writer, records int64, seed uint64, array bool) (written int64, err error) {
	buf := bufio.NewWriterSize(w, 256<<10)
	gen := scenario.NewGenerator(seed)
	before, between, after := "", "\n", "\n"
	if array {
		before, between, after = "[\n", ",\n", "\n]\n"
	}
	if records == 0 && !array {
		return 0, nil
	}
	line := append([]byte(nil), before...)
	for i := range records {
		line = gen.Append(line)
		if i < records-1 {
			line = append(line, between...)
		}
		n, err := buf.Write(line)
		written += int64(n)
		if err != nil {
			return written, err
		}
		line = line[:0]
		if i%1024 == 0 && ctx.Err() != nil {
			return written, ctx.Err()
		}
	}
	n, err := buf.Write(append(line, after...))
	if err != nil {
		return written, err
	}
	return written + int64(n), buf.Flush()
}
