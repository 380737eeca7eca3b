package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/internal/ui"
)

func (a *app) replay() *cobra.Command {
	var (
		to         string
		deadLetter string
		compress   string
		keep       bool
	)
	cmd := &cobra.Command{
		Use:   "replay FILE",
		Short: "Send the records of a dead letter file again",
		Long: `Send the records of a dead letter file again, each to the stream that it was meant
for, or all to --to. Records are sent as they were, byte for byte. Those that fail
again go to a new dead letter file, and FILE is renamed to FILE.replayed when it is
done, so that a second run does not send them twice.

Mend first what the file names as the reason. Records that were to be compressed need
--compress again. A record marked maybe_delivered may have been stored already.`,
		Example: `  hydrant replay hydrant-dead-letter.ndjson
  hydrant replay --to other-stream hydrant-dead-letter.ndjson`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if deadLetter == "" {
				deadLetter = args[0] + ".again"
			}
			compression, err := parseCompression(compress)
			if err != nil {
				return err
			}
			return a.runReplay(cmd.Context(), args[0], to, deadLetter, compression, keep)
		},
	}
	f := cmd.Flags()
	f.StringVar(&to, "to", "", "send all records to this stream (default: to each one's own)")
	f.StringVar(&deadLetter, "dead-letter", "", "file for records that fail again (default FILE.again)")
	f.StringVar(&compress, "compress", "", "compress what is packed, by gzip or zstd")
	f.BoolVar(&keep, "keep", false, "do not rename FILE when it is done")
	return cmd
}

// replayed is the result of replay.
type replayed struct {
	Records        int64  `json:"records"`
	Delivered      int64  `json:"delivered"`
	DeadLettered   int64  `json:"dead_lettered"`
	MaybeDuplicate int64  `json:"maybe_duplicate"` // delivered, and maybe before
	DeadLetter     string `json:"dead_letter,omitempty"`
	Renamed        string `json:"renamed,omitempty"`

	BilledBytes int64   `json:"billed_bytes"`
	BilledUSD   float64 `json:"billed_usd"`

	lastFailure string
}

func (a *app) runReplay(ctx context.Context, name, to, deadLetter string, compression hydrant.Compression, keep bool) error {
	records, err := readDeadLetter(name)
	if err != nil {
		return err
	}
	cfg, err := a.aws(ctx)
	if err != nil {
		return err
	}
	again := hydrant.NewDeadLetterFile(deadLetter)
	result := replayed{Records: int64(len(records))}
	var failed error
	for _, part := range byStream(records, to) {
		s, err := a.replayStream(ctx, hydrant.Config{
			Stream: part.stream, AWS: &cfg, DeadLetter: again, Logger: a.log, NoDelimiter: true, Compression: compression,
		}, part.records, again)
		result.Delivered += s.Delivered
		result.DeadLettered += int64(len(part.records)) - s.Delivered
		result.MaybeDuplicate += s.MaybeDuplicate
		result.BilledBytes += s.BilledBytes
		result.BilledUSD += s.BilledUSD
		result.lastFailure = s.LastFailure
		failed = errors.Join(failed, err)
	}
	for _, r := range records {
		if r.MaybeDelivered {
			result.MaybeDuplicate++
		}
	}
	if err := again.Close(); err != nil {
		return err
	}
	if failed == nil && !keep {
		result.Renamed = name + ".replayed"
		if err := os.Rename(name, result.Renamed); err != nil {
			return err
		}
	}
	if result.DeadLettered > 0 {
		result.DeadLetter = deadLetter
	}
	return a.showReplayed(ctx, result, failed)
}

func (a *app) showReplayed(ctx context.Context, r replayed, failed error) error {
	if a.json {
		if err := a.printJSON(r); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(a.stdout, "%s of %s records delivered, billed as %s, %s\n", ui.Count(r.Delivered), ui.Count(r.Records), ui.Bytes(r.BilledBytes), ui.Dollars(r.BilledUSD))
	}
	switch {
	case ctx.Err() != nil:
		last := ""
		if r.lastFailure != "" {
			last = "\nhint: the last failure: " + r.lastFailure
		}
		return &exitError{exitInterrupted, fmt.Errorf("interrupted; the records not sent are in %s%s", r.DeadLetter, last)}
	case failed != nil:
		return &exitError{exitGaveUp, failed}
	case r.DeadLettered > 0:
		return &exitError{exitDeadLetter, fmt.Errorf("%d records failed again\nhint: %s has each with its reason", r.DeadLettered, r.DeadLetter)}
	}
	return nil
}

// replayStream sends the records of one stream. All of them are in good hands
// when it returns: delivered, or in the new dead letter.
func (a *app) replayStream(ctx context.Context, cfg hydrant.Config, records []hydrant.DeadRecord, again *hydrant.DeadLetterFile) (hydrant.Stats, error) {
	p, err := hydrant.New(ctx, cfg)
	if err != nil {
		return hydrant.Stats{}, errors.Join(err, again.Write(context.WithoutCancel(ctx), records))
	}
	total := int64(0)
	for _, r := range records {
		total += int64(len(r.Data))
	}
	progress := ui.NewProgress(a.stderr, total, func() ui.Snapshot {
		st := p.Stats()
		return snapshot(st, st.DeliveredBytes)
	})
	progress.Start()
	defer progress.Stop()
	var left []hydrant.DeadRecord
	for i, r := range records {
		if err := p.Put(ctx, r.Data); err != nil {
			left = records[i:]
			break
		}
	}
	drain, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(10*time.Second, cancel) })()
	if undelivered, ok := errors.AsType[*hydrant.UndeliveredError](p.Close(drain)); ok {
		left = append(undelivered.Records, left...)
	}
	if len(left) > 0 {
		err = again.Write(context.WithoutCancel(ctx), left)
	}
	return p.Stats(), err
}

// part is the records of one stream.
type part struct {
	stream  string
	records []hydrant.DeadRecord
}

// byStream sorts records by stream, in the order in which the streams appear.
func byStream(records []hydrant.DeadRecord, to string) (parts []part) {
	at := map[string]int{}
	for _, r := range records {
		stream := r.Stream
		if to != "" {
			stream = to
		}
		i, ok := at[stream]
		if !ok {
			i = len(parts)
			at[stream] = i
			parts = append(parts, part{stream: stream})
		}
		parts[i].records = append(parts[i].records, r)
	}
	return parts
}

// readDeadLetter reads all of a dead letter file, before anything is sent.
func readDeadLetter(name string) ([]hydrant.DeadRecord, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var records []hydrant.DeadRecord
	r := bufio.NewReader(f)
	for line := 1; ; line++ {
		text, err := r.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return nil, err
		}
		if len(bytes.TrimSpace(text)) > 0 {
			var d hydrant.DeadRecord
			jsonErr := json.Unmarshal(text, &d)
			if jsonErr == nil && d.Stream == "" {
				jsonErr = errors.New(`it has no "stream"`)
			}
			if jsonErr != nil {
				return nil, fmt.Errorf("%s, line %d is no dead record: %w\nhint: nothing was sent; a last line that a crash has cut short can be taken out", name, line, jsonErr)
			}
			records = append(records, d)
		}
		if err == io.EOF {
			return records, nil
		}
	}
}
