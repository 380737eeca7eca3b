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
	encode          func(records [][]byte, delimiter []byte) [][]byte
}

var formats = map[string]format{
	"UNCOMPRESSED": {"", "", delimited},
	"GZIP":         {".gz", "gzip", gzipped},
}

func gzipped(records [][]byte, delimiter []byte) [][]byte {
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	for _, r := range delimited(records, delimiter) {
		_, _ = zw.Write(r) // a bytes.Buffer takes everything
	}
	_ = zw.Close()
	return [][]byte{buf.Bytes()}
}

// delimited is records with a delimiter between them.
func delimited(records [][]byte, delimiter []byte) [][]byte {
	if len(delimiter) == 0 || len(records) < 2 {
		return records
	}
	list := make([][]byte, 0, 2*len(records)-1)
	for i, r := range records {
		if i > 0 {
			list = append(list, delimiter)
		}
		list = append(list, r)
	}
	return list
}
