package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/wire"
)

func (a *app) put() *cobra.Command {
	var (
		timeout time.Duration
		asIs    bool
		to      streamFlag
	)
	cmd := &cobra.Command{
		Use:   "put STREAM [DATA]",
		Short: "Put one record by PutRecord, and print its id",
		Long: `Put one record by PutRecord, and print its id. The record is DATA, or standard
input up to its end. A newline is added unless the record ends with one. Failures
that pass are tried again, with exponential back-off, until --timeout.`,
		Example: `  hydrant put my-stream '{"hello":"world"}'
  hydrant put my-stream < event.json`,
		Args: to.args(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if timeout <= 0 {
				return usageError("--timeout is %v, it must be more than 0", timeout)
			}
			stream, args, err := to.resolve(cmd.Context(), a, args)
			if err != nil {
				return err
			}
			data, err := a.recordToPut(args)
			if err != nil {
				return err
			}
			return a.putOne(cmd.Context(), stream, data, asIs, timeout)
		},
	}
	to.flag(cmd.Flags())
	cmd.Flags().DurationVar(&timeout, "timeout", 30*time.Second, "give up after this long")
	cmd.Flags().BoolVar(&asIs, "no-delimiter", false, "send the record as it is, without a newline at its end")
	return cmd
}

// recordToPut is the argument, or what standard input holds. It reads no more
// than shows that the record is too long.
func (a *app) recordToPut(args []string) ([]byte, error) {
	if len(args) == 1 && args[0] != "-" {
		return []byte(args[0]), nil
	}
	data, err := io.ReadAll(io.LimitReader(a.stdin, wire.MaxRecordBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read standard input: %w", err)
	}
	return data, nil
}

func (a *app) putOne(ctx context.Context, stream string, data []byte, asIs bool, timeout time.Duration) error {
	cfg, err := a.aws(ctx)
	if err != nil {
		return err
	}
	p, err := hydrant.New(ctx, hydrant.Config{
		Stream: stream, AWS: &cfg, BatchRecords: 1, NoDelimiter: asIs,
		DeadLetter: discard{}, Logger: a.log, // the caller still has the record
	})
	if err != nil {
		return err
	}
	fate := make(chan hydrant.Ack, 1)
	if err := p.PutFunc(ctx, data, func(ack hydrant.Ack) { fate <- ack }); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	closeErr := p.Close(ctx)
	select {
	case ack := <-fate:
		return a.showPut(stream, ack)
	default:
		return notPut(closeErr, p.Stats(), timeout)
	}
}

func (a *app) showPut(stream string, ack hydrant.Ack) error {
	if dead, ok := errors.AsType[*hydrant.DeadError](ack.Err); ok {
		return fmt.Errorf("put a record into %s: %w", stream, &wire.Error{Status: 400, Code: dead.Code, Message: dead.Message})
	}
	if a.json {
		return a.printJSON(struct {
			RecordID       string `json:"record_id"`
			Attempts       int    `json:"attempts"`
			MaybeDuplicate bool   `json:"maybe_duplicate"`
		}{ack.RecordID, ack.Attempts, ack.MaybeDuplicate})
	}
	fmt.Fprintln(a.stdout, ack.RecordID)
	return nil
}

// notPut explains a record that met no fate in time.
func notPut(err error, s hydrant.Stats, timeout time.Duration) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return &exitError{exitGaveUp, fmt.Errorf("the record was not stored within %v, after %d calls; the last failure: %s\nhint: --timeout gives it longer", timeout, s.Calls, s.LastFailure)}
	}
	return &exitError{exitInterrupted, fmt.Errorf("interrupted before the record was stored (%d calls made)", s.Calls)}
}

// discard is the dead letter of a command that still holds the record.
type discard struct{}

func (discard) Write(context.Context, []hydrant.DeadRecord) error { return nil }
