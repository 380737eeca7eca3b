package deliver

import (
	"bytes"

	"github.com/klauspost/compress/gzip"
)

// format is a CompressionFormat of the API: AWS was seen to set this suffix and
// this Content-Encoding for it.
type format struct {
	extension       string
	contentEncoding string
	encode          func(records [][]byte) [][]byte
}

var formats = map[string]format{
	"UNCOMPRESSED": {"", "", func(records [][]byte) [][]byte { return records }},
	"GZIP":         {".gz", "gzip", gzipped},
}

func gzipped(records [][]byte) [][]byte {
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	for _, r := range records {
		_, _ = zw.Write(r) // a bytes.Buffer takes everything
	}
	_ = zw.Close()
	return [][]byte{buf.Bytes()}
}
