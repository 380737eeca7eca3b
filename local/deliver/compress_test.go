package deliver

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
)

func lines(n int) (records [][]byte) {
	for i := range n {
		records = append(records, fmt.Appendf(nil, "record %d of some length, that shrinks well\n", i))
	}
	return records
}

// contents are records that are worth a try.
func contents() map[string][][]byte {
	random := make([]byte, 3<<20)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	return map[string][][]byte{
		"nothing":    nil,
		"empty":      {{}, {}},
		"a byte":     {{'x'}},
		"small ones": lines(100_000),
		"random":     {random},
		"32 KiB":     {random[:32<<10]},
		"a block":    {random[:218421], random[:1]},
	}
}

// unpack reads what a format has made, by the descriptions of the formats.
func unpack(t *testing.T, format string, object []byte) []byte {
	t.Helper()
	var r io.Reader = bytes.NewReader(object)
	var err error
	switch format {
	case "GZIP":
		r, err = gzip.NewReader(r)
	case "ZIP":
		var z *zip.Reader
		if z, err = zip.NewReader(bytes.NewReader(object), int64(len(object))); err == nil {
			if len(z.File) != 1 || len(z.File[0].Name) != 36 || z.File[0].Method != zip.Deflate {
				t.Fatalf("entries: %+v", z.File)
			}
			r, err = z.File[0].Open()
		}
	case "Snappy":
		return unblock(t, object[16:], false)
	case "HADOOP_SNAPPY":
		return unblock(t, object, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func unblock(t *testing.T, b []byte, raw bool) (plain []byte) {
	t.Helper()
	for len(b) > 0 {
		want := -1
		if raw {
			want, b = int(binary.BigEndian.Uint32(b)), b[4:]
		}
		n := binary.BigEndian.Uint32(b)
		block, err := snappy.Decode(nil, b[4:4+n])
		if err != nil || want >= 0 && len(block) != want {
			t.Fatalf("a block of %d bytes, want %d: %v", len(block), want, err)
		}
		plain, b = append(plain, block...), b[4+n:]
	}
	return plain
}

func TestFormats(t *testing.T) {
	for name, f := range formats {
		for what, records := range contents() {
			for _, delimiter := range []string{"", "\n"} {
				object := bytes.Join(f.encode(records, []byte(delimiter)), nil)
				if got := unpack(t, name, object); !bytes.Equal(got, bytes.Join(records, []byte(delimiter))) {
					t.Errorf("%s, %s: %d bytes come back", name, what, len(got))
				}
			}
		}
	}
}

const snappyJava = `
import java.io.*;
public class Read {
    public static void main(String[] args) throws Exception {
        try (InputStream in = new org.xerial.snappy.SnappyInputStream(new FileInputStream(args[0]))) {
            in.transferTo(System.out);
        }
        System.out.flush();
    }
}`

// TestForeignReaders reads the objects by tools that others have made.
func TestForeignReaders(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "Read.java")
	if err := os.WriteFile(program, []byte(snappyJava), 0o600); err != nil {
		t.Fatal(err)
	}
	hadoopPython := "import sys\nfrom snappy import hadoop_snappy\nhadoop_snappy.stream_decompress(open(sys.argv[1], 'rb'), sys.stdout.buffer)"
	for _, tt := range []struct {
		name, format string
		needs        []string // files
		cmd          []string // and the object
	}{
		{"gzip", "GZIP", []string{"gzip"}, []string{"gzip", "-dc"}},
		{"unzip", "ZIP", []string{"unzip"}, []string{"unzip", "-p"}},
		{"snappy-java", "Snappy", []string{"java", "/usr/share/java/snappy-java.jar"}, []string{"java", "--add-opens=java.base/java.nio=ALL-UNNAMED", "-cp", "/usr/share/java/snappy-java.jar", program}},
		{"python3-snappy", "HADOOP_SNAPPY", []string{"/usr/bin/python3", "/usr/lib/python3/dist-packages/snappy/__init__.py"}, []string{"/usr/bin/python3", "-c", hadoopPython}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, need := range tt.needs {
				_, err := os.Stat(need)
				if !strings.HasPrefix(need, "/") {
					_, err = exec.LookPath(need)
				}
				if err != nil {
					t.Skipf("%s is not on this machine: %s goes unread by %s", need, tt.format, tt.name)
				}
			}
			f := formats[tt.format]
			records := contents()["small ones"]
			object := filepath.Join(dir, "object"+f.extension)
			if err := os.WriteFile(object, bytes.Join(f.encode(records, nil), nil), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), tt.cmd[0], append(slices.Clone(tt.cmd[1:]), object)...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			got, err := cmd.Output()
			if err != nil || !bytes.Equal(got, bytes.Join(records, nil)) {
				t.Errorf("%d bytes come back, %v\n%s", len(got), err, &stderr)
			}
		})
	}
}

func BenchmarkFormats(b *testing.B) {
	records := lines(100_000)
	size := len(bytes.Join(records, nil))
	for name, f := range formats {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				f.encode(records, nil)
			}
		})
	}
}
