package deliver

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/snappy"
)

// bodies are the records of objects that are hard in some way. They take a while
// to make, and are read only.
var bodies = sync.OnceValue(func() map[string][][]byte {
	const mib = 1 << 20
	random := make([]byte, 5*mib)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(random)
	var text []byte
	for i := 0; len(text) < 5*mib; i++ {
		text = fmt.Appendf(text, `{"n":%d,"level":"info","msg":"took %d ms","hash":"%x"}`+"\n", i, i*7919%1000, random[i:i+4])
	}
	return map[string][][]byte{
		"no records":      nil,
		"empty records":   {{}, {}, {}},
		"one byte":        {{'a'}},
		"random":          cut(random, 1_024_000),
		"text":            cut(text, 50_000),
		"small records":   cut(text[:mib], 11),
		"a xerial block":  {random[:xerialBlock]},
		"and a byte":      {random[:xerialBlock+1]},
		"a Hadoop block":  {random[:hadoopBlock]},
		"and a byte more": {random[:hadoopBlock], {'a'}},
	}
})

// cut is b in records of n bytes.
func cut(b []byte, n int) [][]byte {
	var records [][]byte
	for len(b) > 0 {
		n = min(n, len(b))
		records, b = append(records, b[:n:n]), b[n:]
	}
	return records
}

// body is one of the bodies in a format; plain is what it must be read as.
type body struct {
	name, plain string
	coded       []byte
}

// encoded are all bodies in a format, each with a delimiter and without one.
func encoded(compression string) []body {
	var all []body
	for name, records := range bodies() {
		for _, delimiter := range []string{"", "\n"} {
			parts := formats[compression].encode(records, []byte(delimiter))
			all = append(all, body{
				name + strings.Repeat(", delimited", len(delimiter)),
				string(bytes.Join(records, []byte(delimiter))),
				bytes.Join(parts, nil),
			})
		}
	}
	return all
}

// is fails the test when a body was read as something else; that may be long.
func (b *body) is(t *testing.T, got []byte, err error) {
	t.Helper()
	if err != nil || string(got) != b.plain {
		t.Errorf("%s: %d bytes were read as %d other ones, %v", b.name, len(b.plain), len(got), err)
	}
}

var readers = map[string]func([]byte) ([]byte, error){
	"UNCOMPRESSED": func(b []byte) ([]byte, error) { return b, nil },
	"GZIP": func(b []byte) ([]byte, error) {
		zr, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(zr)
	},
	"ZIP":           readZip,
	"Snappy":        readXerial,
	"HADOOP_SNAPPY": readHadoop,
}

func readZip(b []byte) ([]byte, error) {
	zr, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if len(zr.File) != 1 || !uuid.MatchString(zr.File[0].Name) || zr.File[0].Method != zip.Deflate {
		return nil, fmt.Errorf("entries are %+v", zr.File)
	}
	if age := time.Since(zr.File[0].Modified); age < -time.Minute || age > time.Minute {
		return nil, fmt.Errorf("entry is %v old", age)
	}
	f, err := zr.File[0].Open()
	if err != nil {
		return nil, err
	}
	return io.ReadAll(f)
}

// readXerial takes blocks of 32 KiB only, but for the last one.
func readXerial(b []byte) ([]byte, error) {
	b, ok := bytes.CutPrefix(b, []byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"))
	if !ok {
		return nil, fmt.Errorf("header is %x", b[:min(16, len(b))])
	}
	var plain []byte
	for len(b) > 0 {
		if len(plain)%(32<<10) != 0 {
			return plain, fmt.Errorf("a block ended at byte %d", len(plain))
		}
		block, rest, err := readChunk(b)
		if err != nil || len(block) > 32<<10 {
			return plain, fmt.Errorf("block of %d bytes: %w", len(block), err)
		}
		plain, b = append(plain, block...), rest
	}
	return plain, nil
}

// readHadoop has room for blocks and chunks of 256 KiB, as Hadoop.
func readHadoop(b []byte) ([]byte, error) {
	var plain []byte
	for len(b) >= 8 {
		want := int(binary.BigEndian.Uint32(b))
		block, rest, err := readChunk(b[4:])
		if chunk := len(b) - len(rest) - 8; err != nil || len(block) != want || want == 0 || max(want, chunk) > 256<<10 {
			return plain, fmt.Errorf("block of %d bytes is %d in a chunk of %d: %w", want, len(block), chunk, err)
		}
		plain, b = append(plain, block...), rest
	}
	if len(b) > 0 && (plain != nil || string(b) != "\x00\x00\x00\x00") {
		return plain, fmt.Errorf("%x at the end", b)
	}
	return plain, nil
}

// readChunk reads a length and raw snappy of the strict sort.
func readChunk(b []byte) (plain, rest []byte, err error) {
	if len(b) < 4 || len(b)-4 < int(binary.BigEndian.Uint32(b)) {
		return nil, b, io.ErrUnexpectedEOF
	}
	end := 4 + binary.BigEndian.Uint32(b)
	plain, err = snappy.DecodeStrict(nil, b[4:end])
	return plain, b[end:], err
}

func TestFormats(t *testing.T) {
	headers := make(map[string][2]string)
	for compression, f := range formats {
		headers[compression] = [2]string{f.extension, f.contentEncoding}
		for _, b := range encoded(compression) {
			got, err := readers[compression](b.coded)
			b.is(t, got, err)
		}
	}
	want := map[string][2]string{
		"UNCOMPRESSED":  {"", ""},
		"GZIP":          {".gz", "gzip"},
		"ZIP":           {".zip", "zip"},
		"Snappy":        {".snappy", "snappy-java"},
		"HADOOP_SNAPPY": {".snappy", "hadoop-snappy"},
	}
	if diff := cmp.Diff(want, headers); diff != "" {
		t.Error(diff)
	}
}

// TestFraming has the frames byte for byte, lest writer and reader are wrong alike.
func TestFraming(t *testing.T) {
	const header = "82534e415050590000000001" + "00000001"
	for _, tt := range []struct{ compression, record, want string }{
		{"Snappy", "", header},
		{"Snappy", "abc", header + "00000005" + "0308616263"},
		{"HADOOP_SNAPPY", "", "00000000"},
		{"HADOOP_SNAPPY", "abc", "00000003" + "00000005" + "0308616263"},
	} {
		parts := formats[tt.compression].encode([][]byte{[]byte(tt.record)}, nil)
		if got := hex.EncodeToString(bytes.Join(parts, nil)); got != tt.want {
			t.Errorf("%s of %q is %s, want %s", tt.compression, tt.record, got, tt.want)
		}
	}
}

func TestDelimiter(t *testing.T) {
	for _, tt := range []struct {
		records []string
		want    string
	}{
		{nil, ""},
		{[]string{"a"}, "a"},
		{[]string{"a", "b"}, "a\nb"},
		{[]string{"", "a\n", ""}, "\na\n\n"},
	} {
		var records [][]byte
		for _, r := range tt.records {
			records = append(records, []byte(r))
		}
		for compression, f := range formats {
			got, err := readers[compression](bytes.Join(f.encode(records, []byte("\n")), nil))
			if err != nil || string(got) != tt.want {
				t.Errorf("%s of %q is %q, %v", compression, tt.records, got, err)
			}
		}
	}
}

// TestParts holds parts to their bounds, and what they were made of to what it was.
func TestParts(t *testing.T) {
	records := bodies()["random"]
	before := bytes.Join(records, nil)
	for compression, f := range formats {
		parts := f.encode(records, nil)
		if compression != "UNCOMPRESSED" {
			for i, p := range parts {
				if cap(p) > partMost || i < len(parts)-1 && len(p) < cap(p) {
					t.Errorf("%s: part %d of %d has %d bytes in %d", compression, i, len(parts), len(p), cap(p))
				}
			}
		} else if &parts[0][0] != &records[0][0] {
			t.Error("UNCOMPRESSED: records were copied")
		}
		if small := f.encode([][]byte{{'a'}}, nil); cap(small[0]) > partLeast {
			t.Errorf("%s: a byte takes %d", compression, cap(small[0]))
		}
	}
	if !bytes.Equal(before, bytes.Join(records, nil)) {
		t.Error("records were changed")
	}
}

// TestEncodeAtOnce makes an object amid the making of another, which shares
// nothing with it.
func TestEncodeAtOnce(t *testing.T) {
	writers := map[string]func(*parts, iter.Seq[[]byte]){"GZIP": gzipped, "ZIP": zipped, "Snappy": xerial, "HADOOP_SNAPPY": hadoop}
	half, other := bytes.Repeat([]byte("half "), 100_000), bytes.Repeat([]byte("other "), 100_000)
	for compression, write := range writers {
		var outer, inner parts
		write(&outer, func(yield func([]byte) bool) {
			yield(half)
			write(&inner, slices.Values([][]byte{other}))
			yield(half)
		})
		for _, tt := range []struct {
			list [][]byte
			want string
		}{{outer.list, string(half) + string(half)}, {inner.list, string(other)}} {
			got, err := readers[compression](bytes.Join(tt.list, nil))
			if err != nil || string(got) != tt.want {
				t.Errorf("%s: %d bytes were read as %d other ones, %v", compression, len(tt.want), len(got), err)
			}
		}
	}
}

// tool is a program of this machine, or the test is skipped.
func tool(t *testing.T, name string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves out the programs of others")
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not on this machine: what it reads goes untested", name)
	}
	return path
}

func TestGzipTool(t *testing.T) {
	path := tool(t, "gzip")
	for _, b := range encoded("GZIP") {
		cmd := exec.CommandContext(t.Context(), path, "-dc")
		cmd.Stdin = bytes.NewReader(b.coded)
		got, err := cmd.Output()
		b.is(t, got, err)
	}
}

func TestUnzip(t *testing.T) {
	path := tool(t, "unzip")
	file := filepath.Join(t.TempDir(), "o.zip")
	for _, b := range encoded("ZIP") {
		if err := os.WriteFile(file, b.coded, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := exec.CommandContext(t.Context(), path, "-p", file).Output()
		b.is(t, got, err)
	}
}

// converted runs a program that reads each file of a folder, which is the last
// argument, and writes it, decoded, beside it with ".out" after its name. The
// files are named by the index of their body.
func converted(t *testing.T, bodies []body, program string, args ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for i, b := range bodies {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), b.coded, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), program, append(args, dir)...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for i, b := range bodies {
		got, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(i, ".out")))
		b.is(t, got, err)
	}
	return dir
}

func TestPythonZipfile(t *testing.T) {
	converted(t, encoded("ZIP"), tool(t, "python3"), "-c", `
import os, sys, zipfile
for entry in list(os.scandir(sys.argv[1])):
    with zipfile.ZipFile(entry.path) as z:
        (info,) = z.infolist()
        assert z.testzip() is None and info.compress_type == zipfile.ZIP_DEFLATED
        open(entry.path + '.out', 'wb').write(z.read(info))
`)
}

// TestPythonSnappy asks Debian's python3 first: python3-snappy is for it alone.
func TestPythonSnappy(t *testing.T) {
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		if exec.CommandContext(t.Context(), name, "-c", "import snappy.hadoop_snappy").Run() == nil {
			converted(t, encoded("HADOOP_SNAPPY"), name, "-c", `
import os, sys
from snappy import hadoop_snappy
for entry in list(os.scandir(sys.argv[1])):
    with open(entry.path, 'rb') as src, open(entry.path + '.out', 'wb') as dst:
        hadoop_snappy.stream_decompress(src, dst)
`)
			return
		}
	}
	t.Skip("python3 with snappy (Debian: python3-snappy) is not on this machine: HADOOP_SNAPPY goes unread by it")
}

// unsnap is a program for converted. For "xerial" it also writes each file as
// snappy-java encodes it, with ".xerial" after its name. For "hadoop" it has
// Hadoop's buffers, and ends at a block of no bytes, as Hadoop.
const unsnap = `
import java.io.*;
import java.nio.file.*;
import org.xerial.snappy.*;

class Unsnap {
    static final int BUFFER = 256 << 10;

    public static void main(String[] args) throws IOException {
        for (File file : new File(args[1]).listFiles()) {
            byte[] coded = Files.readAllBytes(file.toPath());
            byte[] plain = args[0].equals("xerial") ? xerial(coded) : hadoop(coded);
            Files.write(Path.of(file + ".out"), plain);
            if (args[0].equals("xerial")) {
                try (OutputStream out = new SnappyOutputStream(new FileOutputStream(file + ".xerial"))) {
                    out.write(plain);
                }
            }
        }
    }

    static byte[] xerial(byte[] coded) throws IOException {
        return new SnappyInputStream(new ByteArrayInputStream(coded)).readAllBytes();
    }

    static byte[] hadoop(byte[] coded) throws IOException {
        DataInputStream in = new DataInputStream(new ByteArrayInputStream(coded));
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        while (in.available() > 0) {
            int left = in.readInt();
            if (left == 0) break;
            while (left > 0) {
                int length = in.readInt();
                if (left > BUFFER || length > BUFFER) throw new IOException("over Hadoop's buffer: " + left + ", " + length);
                byte[] chunk = Snappy.uncompress(in.readNBytes(length));
                out.write(chunk);
                left -= chunk.length;
            }
            if (left < 0) throw new IOException("chunks are longer than their block by " + -left);
        }
        if (in.available() > 0) throw new IOException("left over: " + in.available());
        return out.toByteArray();
    }
}
`

// snappyJava are the arguments with which java runs unsnap.
func snappyJava(t *testing.T, source string) []string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves out the programs of others")
	}
	const jar = "/usr/share/java/snappy-java.jar"
	if _, err := os.Stat(jar); err != nil {
		t.Skip("snappy-java (Debian: libsnappy-java) is not on this machine: what it reads goes untested")
	}
	if err := os.WriteFile(source, []byte(unsnap), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"-cp", jar, source}
}

// TestSnappyJava has snappy-java read what we write, and our strict reader what
// it writes: both write the same blocks.
func TestSnappyJava(t *testing.T) {
	java := tool(t, "java")
	args := snappyJava(t, filepath.Join(t.TempDir(), "Unsnap.java"))
	t.Run("xerial", func(t *testing.T) {
		all := encoded("Snappy")
		dir := converted(t, all, java, append(args, "xerial")...)
		for i, b := range all {
			coded, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(i, ".xerial")))
			if err != nil {
				t.Fatal(err)
			}
			got, err := readXerial(coded)
			b.is(t, got, err)
			if len(b.plain) < 2 && !bytes.Equal(coded, b.coded) {
				t.Errorf("%s: we write %x, snappy-java %x", b.name, b.coded, coded)
			}
		}
	})
	t.Run("hadoop", func(t *testing.T) {
		converted(t, encoded("HADOOP_SNAPPY"), java, append(args, "hadoop")...)
	})
}

func BenchmarkFormats(b *testing.B) {
	records := cut(bytes.Join(bodies()["text"], nil)[:5<<20], 200)
	for _, compression := range []string{"UNCOMPRESSED", "GZIP", "ZIP", "Snappy", "HADOOP_SNAPPY"} {
		b.Run(compression, func(b *testing.B) {
			b.SetBytes(5 << 20)
			b.ReportAllocs()
			var size int
			for b.Loop() {
				size = 0
				for _, p := range formats[compression].encode(records, []byte("\n")) {
					size += len(p)
				}
			}
			b.ReportMetric(float64(5<<20)/float64(size), "ratio")
		})
	}
}
