package conformance

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
)

// checkObjects delivers, and compares the bucket's objects with those that are
// wanted.
func (r *runner) checkObjects(ctx context.Context, want []Object) error {
	if r.flush != nil {
		if err := r.flush(ctx); err != nil {
			return fmt.Errorf("deliver: %w", err)
		}
	}
	have, err := r.client.objects(ctx, r.bucket)
	if err != nil {
		return err
	}
	keys := make([]string, len(have))
	for i, o := range have {
		keys[i] = o.Key
	}
	if len(have) != len(want) {
		return fmt.Errorf("%d objects %q, want %d", len(have), keys, len(want))
	}
	for _, o := range want {
		key := regexp.MustCompile(r.names.Replace(o.Key))
		i := slices.IndexFunc(have, func(s stored) bool { return key.MatchString(s.Key) })
		if i < 0 {
			return fmt.Errorf("keys %q, want one like %s", keys, key)
		}
		if err := o.check(have[i]); err != nil {
			return fmt.Errorf("object %s: %w", have[i].Key, err)
		}
	}
	return nil
}

func (o Object) check(got stored) error {
	if got.Encoding != o.Encoding {
		return fmt.Errorf("Content-Encoding %q, want %q", got.Encoding, o.Encoding)
	}
	if o.Type != "" && got.Type != o.Type {
		return fmt.Errorf("Content-Type %q, want %q", got.Type, o.Type)
	}
	body, err := unpack(o.Format, got.Body)
	if err != nil {
		return fmt.Errorf("not %s: %w", o.Format, err)
	}
	if !same(o.Body, string(body)) {
		return fmt.Errorf("holds %q, want %q", body, o.Body)
	}
	return nil
}

// unpack reads what a CompressionFormat has made.
func unpack(format string, body []byte) ([]byte, error) {
	switch format {
	case "GZIP":
		zr, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(zr)
	case "ZIP":
		zr, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
		if err != nil {
			return nil, err
		}
		if len(zr.File) != 1 {
			return nil, fmt.Errorf("%d entries, want 1", len(zr.File))
		}
		f, err := zr.File[0].Open()
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return io.ReadAll(f)
	case "Snappy": // a head of 16 bytes, then blocks with their length
		head := "\x82SNAPPY\x00"
		if !strings.HasPrefix(string(body), head) || len(body) < 20 {
			return nil, fmt.Errorf("it begins with %q", body[:min(len(body), 8)])
		}
		return snappyBlock(body[16:])
	case "HADOOP_SNAPPY": // the length of what is packed, then the same blocks
		if len(body) < 8 {
			return nil, io.ErrUnexpectedEOF
		}
		return snappyBlock(body[4:])
	}
	return body, nil
}

// snappyBlock reads the one block that little data makes.
func snappyBlock(b []byte) ([]byte, error) {
	if n := binary.BigEndian.Uint32(b); int(n) != len(b)-4 {
		return nil, fmt.Errorf("a block of %d bytes, want %d", len(b)-4, n)
	}
	return s2.Decode(nil, b[4:])
}
