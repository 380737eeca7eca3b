package hydrant_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/hydrant-go/hydrant"
	"github.com/hydrant-go/hydrant/hydranttest"
	"github.com/hydrant-go/hydrant/local"
	"github.com/hydrant-go/hydrant/wire"
)

// plain is what a reader of many packs in one file gets.
func plain(t *testing.T, c hydrant.Compression, packs []byte) []byte {
	t.Helper()
	var r io.Reader = bytes.NewReader(packs)
	var err error
	switch c {
	case hydrant.CompressGzip:
		if len(packs) == 0 {
			return nil
		}
		r, err = gzip.NewReader(r)
	case hydrant.CompressZstd:
		r, err = zstd.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// entry is a log line, of which a part can't be compressed.
func entry(random *rand.Rand, noise int) string {
	salt := make([]byte, noise)
	for i := range salt {
		salt[i] = '!' + byte(random.Uint32()%90)
	}
	return fmt.Sprintf(`{"time":%d,"level":"INFO","path":"/api/v1/orders/%d","status":200,"trace":%q}`,
		1_700_000_000_000+random.IntN(1e9), random.IntN(1e6), salt) + "\n"
}

// Packs are filled by their compressed size, objects decompress to the lines that
// went in, and no pack is too large when lines come that hardly shrink.
func TestCompression(t *testing.T) {
	heavy(t)
	for name, compression := range map[string]hydrant.Compression{"gzip": hydrant.CompressGzip, "zstd": hydrant.CompressZstd} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fh := hydranttest.Start(t, hydranttest.Options{BufferMiB: 128})
				fh.CreateStream(stream)
				cfg := fh.AWSConfig()
				p := start(t, hydrant.Config{Stream: stream, AWS: &cfg, Compression: compression, MaxBuffer: 256 << 20})
				random := rand.New(rand.NewPCG(1, 0))
				var want []string
				put := func(bytes, noise int) {
					for bytes > 0 {
						line := entry(random, noise)
						bytes -= len(line)
						want = append(want, line)
						if err := p.Put(t.Context(), []byte(line)); err != nil {
							t.Fatal(err)
						}
					}
					if err := p.Flush(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				put(60<<20, 4)
				if packs := fh.Records(stream); len(packs) > 80 { // by their raw size there would be 150
					t.Errorf("%d packs", len(packs))
				}
				put(20<<20, 2000)
				if err := p.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				s := p.Stats()
				sent, longest := 0, 0
				for _, data := range fh.Records(stream) {
					sent, longest = sent+len(data), max(longest, len(data))
				}
				t.Logf("billed %.4f times the bytes that went in, %.4f times those sent; %d calls, %d packs, the longest of %d bytes",
					float64(s.BilledBytes)/float64(s.DeliveredBytes), float64(s.BilledBytes)/float64(sent), s.Calls, s.FirehoseRecords, longest)
				if s.FailedCalls > 0 || s.BilledBytes > s.DeliveredBytes/2 || float64(s.BilledBytes) > 1.02*float64(sent) {
					t.Errorf("%+v", s)
				}
				got := strings.SplitAfter(string(plain(t, compression, fh.Delivered(stream))), "\n")
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got[1:], want) {
					t.Error("what is delivered is not what went in")
				}
			})
		})
	}
}

// A pack that is sent again is the same bytes, and the packs of a call that was
// too large once compressed are neither lost nor sent twice.
func TestCompressedPackKeepsItsBytes(t *testing.T) {
	for _, compression := range []hydrant.Compression{hydrant.CompressGzip, hydrant.CompressZstd} {
		faults := []local.Fault{hydranttest.ResetAfter(), hydranttest.Refuse(0), hydranttest.ResetAfter()}
		cfg := hydrant.Config{Compression: compression, Packing: hydrant.PackFixed, PackRecords: 3, BatchBytes: 150}
		inBubble(t, cfg, faults, func(r *rig) {
			random := rand.New(rand.NewPCG(2, 0))
			want := ""
			for i := range 40 {
				line := fmt.Sprintf("%d\n", i)
				if i == 20 {
					line = entry(random, 1000) // its pack does not fit into a call with others
				}
				want += line
				r.put(strings.TrimSuffix(line, "\n"))
			}
			r.flush()
			times := map[string]int{}
			got := ""
			for _, data := range r.fh.Records(stream) {
				if times[string(data)]++; times[string(data)] == 1 {
					got += string(plain(t, compression, data))
				}
			}
			lines, wanted := strings.SplitAfter(got, "\n"), strings.SplitAfter(want, "\n")
			slices.Sort(lines)
			slices.Sort(wanted)
			if !slices.Equal(lines, wanted) {
				r.Errorf("stored %q", got)
			}
			s := r.p.Stats()
			if s.Delivered != 40 || s.MaybeDuplicate == 0 {
				r.Errorf("%+v", s)
			}
		})
	}
}

// The longest record that is taken can be sent, however little it shrinks.
func TestLongestCompressedRecord(t *testing.T) {
	longest := make([]byte, wire.MaxRecordBytes-512)
	random := rand.NewChaCha8([32]byte{})
	_, _ = random.Read(longest)
	for _, compression := range []hydrant.Compression{hydrant.CompressGzip, hydrant.CompressZstd} {
		inBubble(t, hydrant.Config{Compression: compression, Packing: hydrant.PackFixed, NoDelimiter: true}, nil, func(r *rig) {
			r.put(string(longest), string(longest)+"x")
			r.flush()
			got := r.fh.Records(stream)
			if len(got) != 1 || !bytes.Equal(plain(t, compression, got[0]), longest) {
				r.Errorf("%d records stored", len(got))
			}
			r.inDead(hydrant.CodeRecordTooLarge)
		})
	}
}

// A bound holds for what is sent, though what is put is known before it.
func TestRateOfCompressedPacks(t *testing.T) {
	cfg := hydrant.Config{Compression: hydrant.CompressZstd, Packing: hydrant.PackFixed, Rate: hydrant.Rate{Bytes: 100_000}}
	inBubble(t, cfg, nil, func(r *rig) {
		start := time.Now()
		for range 5 {
			r.put(slices.Repeat([]string{ofSize(1000)}, 90)...)
			r.flush()
		}
		if took := time.Since(start); took > 500*time.Millisecond {
			r.Errorf("%d bytes at 100,000 a second took %v", r.p.Stats().BilledBytes, took)
		}
	})
}

// A destination that would take compressed packs for something else is refused at
// the start.
func TestCompressionSuitsTheDestination(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fh := hydranttest.Start(t, hydranttest.Options{})
		_, err := fh.Client().CreateDeliveryStream(t.Context(), &firehose.CreateDeliveryStreamInput{
			DeliveryStreamName: aws.String(stream),
			ExtendedS3DestinationConfiguration: &types.ExtendedS3DestinationConfiguration{
				BucketARN: aws.String("arn:aws:s3:::b"), RoleARN: aws.String("arn:aws:iam::000000000000:role/r"), CompressionFormat: types.CompressionFormatGzip,
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		cfg := fh.AWSConfig()
		c := hydrant.Config{Stream: stream, AWS: &cfg, Compression: hydrant.CompressGzip, Logger: slog.New(slog.DiscardHandler), DeadLetter: &memory{}}
		if _, err := hydrant.New(t.Context(), c); err == nil || !strings.Contains(err.Error(), "it compresses its objects itself (GZIP)") {
			t.Errorf("New: %v", err)
		}
		c.Packing = hydrant.PackFixed
		if err := start(t, c).Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
