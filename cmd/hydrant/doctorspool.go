package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/hydrant-go/hydrant/internal/ui"
)

// Bounds of the free space beside a spool; the first is what --spool-max is by default.
const (
	spoolRoom  = 1 << 30
	spoolScant = 64 << 20
)

// checkSpool looks whether a spool can be written, and has room.
func (c *checkup) checkSpool(ctx context.Context) {
	info, err := os.Stat(c.options.spool)
	switch {
	case errors.Is(err, os.ErrNotExist):
		c.warn("hydrant send and tail make it", "there is no %s yet", c.options.spool)
		return
	case err != nil:
		c.trouble(ctx, statusFailed, err, "")
		return
	case !info.IsDir():
		c.fail("name a folder", "%s is no folder", c.options.spool)
		return
	}
	f, err := os.CreateTemp(c.options.spool, ".doctor-")
	if err != nil {
		c.trouble(ctx, statusFailed, fmt.Errorf("the spool can't be written: %w", err), "give this user the right to write there, or name another folder")
		return
	}
	f.Close()
	if err := os.Remove(f.Name()); err != nil {
		c.trouble(ctx, statusWarning, err, "")
	}
	c.tellRoom()
	c.tellSpooled(ctx)
}

func (c *checkup) tellRoom() {
	free, known := diskFree(c.options.spool)
	const remedy = "free some, or give a lower --spool-max: when the disk is full, reading waits"
	switch {
	case !known:
		c.ok("it can be written")
	case free < spoolScant:
		c.fail(remedy, "it can be written, but its disk has %s left", ui.Bytes(free))
	case free < spoolRoom:
		c.warn(remedy, "it can be written, but its disk has %s left, less than the 1 GiB that a spool may take by default", ui.Bytes(free))
	default:
		c.ok("it can be written, and its disk has %s left", ui.Bytes(free))
	}
}

// tellSpooled tells what is left in the spool.
func (c *checkup) tellSpooled(ctx context.Context) {
	s, err := lookAt(c.options.spool)
	if err != nil {
		c.trouble(ctx, statusFailed, err, "")
		return
	}
	defer s.Close()
	records, bytes := int64(0), int64(0)
	for _, q := range s.Queues() {
		st := q.Stats()
		records, bytes = records+st.Records, bytes+st.Bytes
	}
	if records == 0 {
		c.ok("it is empty")
		return
	}
	c.ok("%s records wait in it, %s: the next run with it sends them, or hydrant spool drain", ui.Count(records), ui.Bytes(bytes))
}
