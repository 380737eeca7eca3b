// Package convert is Firehose's record format conversion: JSON records in, one Apache
// Parquet file out, typed by the columns of a Glue table.
//
// What is said of AWS here comes from its developer guide ("Convert input data format")
// and API reference, from the source of the SerDes that Firehose names (OpenX's
// rcongiu/Hive-JSON-Serde, Hive's HCatalog JsonSerDe and ParquetHiveSerDe), and, where
// it says "was seen to", from what users recorded of the service. UNVERIFIED marks
// the rest.
//
// Left out: ORC, uniontype, and the padding between row groups, which means
// something on HDFS only.
package convert

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
)

const (
	// Extension ends the name of a converted object.
	Extension = ".parquet"
	// ErrorOutputType is what !{firehose:error-output-type} is for records that
	// could not be converted.
	ErrorOutputType = "format-conversion-failed"

	// CodeParse is of a record that is not JSON.
	CodeParse = "DataFormatConversion.ParseError"
	// CodeMalformed is of JSON that does not fit the columns.
	CodeMalformed = "DataFormatConversion.MalformedData"
)

// Config says how to convert. Its deserializers and serializers have the API's
// names, so that a request's JSON can be decoded into them.
type Config struct {
	Columns      []Column     // at least one
	Deserializer Deserializer // default OpenX
	Serializer   Serializer   // default Parquet
}

// Deserializer says how records are read. At most one may be set.
type Deserializer struct {
	OpenXJsonSerDe *OpenXJsonSerDe
	HiveJsonSerDe  *HiveJsonSerDe
}

// OpenXJsonSerDe is the lenient deserializer. It takes a number in quotes for a
// number, any value for a string (an object or array as its JSON), one value for
// an array of one, and an array for a struct's members in their order.
type OpenXJsonSerDe struct {
	// CaseInsensitive makes the names of JSON members lower case before they are
	// read, at every depth. Default true. Columns are in lower case, so without it
	// only names that are too can be found, or those that are mapped.
	CaseInsensitive *bool
	// ConvertDotsInJsonKeysToUnderscores finds the column a_b for the member "a.b".
	ConvertDotsInJsonKeysToUnderscores bool
	// ColumnToJsonKeyMappings has the names of JSON members for columns, and
	// members of structs, that are named otherwise: {"ts": "timestamp"}.
	ColumnToJsonKeyMappings map[string]string
}

// HiveJsonSerDe is the strict deserializer, Hive's own. Names are found in any case.
type HiveJsonSerDe struct {
	// TimestampFormats are tried in their order for timestamps and dates: patterns
	// of Joda-Time's DateTimeFormat, or "millis" for milliseconds since 1970.
	// yyyy-[m]m-[d]d hh:mm:ss[.f…] is always taken.
	TimestampFormats []string
}

// Serializer says what is written.
type Serializer struct {
	ParquetSerDe *ParquetSerDe
	OrcSerDe     *struct{} // refused
}

// ParquetSerDe is how Parquet is written. Zero values are AWS's defaults.
type ParquetSerDe struct {
	BlockSizeBytes int    // of the records that make a row group: default 256 MiB, at least 64 MiB
	PageSizeBytes  int    // before compression: default 1 MiB, at least 64 KiB
	Compression    string // UNCOMPRESSED, GZIP or SNAPPY, which is the default
	// EnableDictionaryCompression writes values that repeat once for a row group.
	EnableDictionaryCompression bool
	MaxPaddingBytes             int    // the most padding; none is written whatever it is
	WriterVersion               string // of data pages: V1, which is the default, or V2
}

// Converter converts records. It may be used from many goroutines.
type Converter struct {
	row       *hiveType // a struct whose fields are the columns
	rules     rules
	schema    *parquet.Schema
	options   []parquet.WriterOption
	blockSize int

	contentEncoding string
}

// ContentEncoding is what the file is labelled with in S3, or "". AWS was seen to
// label Parquet hadoop-snappy, though nothing is around the file: Snappy is within.
// Readers don't know the name, and take the file as it is. UNVERIFIED: the label for
// a Compression other than SNAPPY, the default. There is none here: gzip would have
// browsers and others unpack what is not packed.
func (c *Converter) ContentEncoding() string { return c.contentEncoding }

// Failed is a record that could not be converted.
type Failed struct {
	Index   int    // among the records
	Code    string // CodeParse or CodeMalformed
	Message string
}

// New returns an error that tells everything that is wrong with the Config.
func New(cfg Config) (*Converter, error) {
	if cfg.Serializer.OrcSerDe != nil {
		return nil, errors.New("record format conversion: ORC (OrcSerDe) can't be written here; use ParquetSerDe")
	}
	c := &Converter{}
	rules, errRules := newRules(cfg.Deserializer)
	row, errRow := rowType(cfg.Columns)
	var out ParquetSerDe
	if cfg.Serializer.ParquetSerDe != nil {
		out = *cfg.Serializer.ParquetSerDe
	}
	if err := errors.Join(errRow, errRules, out.setDefaults()); err != nil {
		return nil, fmt.Errorf("record format conversion: %w", err)
	}
	place(row, 0, 0, 0)
	rules.link(row)
	c.row, c.rules, c.blockSize = row, rules, out.BlockSizeBytes
	c.schema = out.schema(row)
	c.options = out.options(c.schema)
	if out.Compression == "SNAPPY" {
		c.contentEncoding = "hadoop-snappy"
	}
	return c, nil
}

func rowType(columns []Column) (*hiveType, error) {
	if len(columns) == 0 {
		return nil, errors.New("there are no columns")
	}
	row := &hiveType{kind: kindStruct}
	var errs []error
	seen := map[string]bool{}
	for i, column := range columns {
		name := strings.ToLower(strings.TrimSpace(column.Name))
		t, errType := parseType(column.Type)
		switch {
		case name == "":
			errs = append(errs, fmt.Errorf("column %d has no name", i+1))
		case seen[name]:
			errs = append(errs, fmt.Errorf("there are two columns %q", name))
		case errType != nil:
			errs = append(errs, fmt.Errorf("column %q: %w", column.Name, errType))
		}
		seen[name] = true
		row.fields = append(row.fields, field{name, t})
	}
	return row, errors.Join(errs...)
}

// batchRows and batchBytes bound what is read ahead of the Parquet writer, which
// can end a page between two batches only.
const (
	batchRows  = 64
	batchBytes = 256 << 10
)

// Convert makes one Parquet file of records: its parts follow each other with nothing
// between them. A record that can't be converted is in failed and has no row in the
// file; without any rows there is no file, and body is nil. An error is the Parquet
// writer's; then nothing was converted.
//
// A record may hold several JSON objects, one after another, with white space
// between them or none (developer guide: {"a":1}{"b":1} is correct, an array of
// objects is not). Each is a row; when one fails, all of the record does, as it is
// the record that goes to the error output. UNVERIFIED: that AWS writes no row of it.
//
// Beside the file it holds the pages of one row group, compressed, and for each column
// a page that is being filled. Records are only read, and nothing keeps their bytes.
func (c *Converter) Convert(records [][]byte) (body [][]byte, failed []Failed, err error) {
	var out chunks
	s := shredder{rules: &c.rules, columns: make([][]parquet.Value, c.row.end), marks: make([]int, c.row.end)}
	w := parquet.NewGenericWriter[any](&out, c.options...)
	rows, batched, group := 0, 0, 0
	for i, record := range records {
		n, err := s.record(c.row, record)
		if err != nil {
			bad, ok := errors.AsType[*recordError](err)
			if !ok {
				return nil, nil, fmt.Errorf("record %d: %w", i, err)
			}
			failed = append(failed, Failed{i, bad.code, bad.message})
			continue
		}
		rows += n
		if batched += len(record); s.rows < batchRows && batched < batchBytes {
			continue
		}
		group, batched = group+batched, 0
		if err := s.flush(w); err != nil {
			return nil, nil, fmt.Errorf("write parquet: %w", err)
		}
		if group >= c.blockSize {
			group = 0
			if err := w.Flush(); err != nil {
				return nil, nil, fmt.Errorf("write parquet: %w", err)
			}
		}
	}
	if rows == 0 {
		return nil, failed, nil
	}
	if err := errors.Join(s.flush(w), w.Close()); err != nil {
		return nil, nil, fmt.Errorf("write parquet: %w", err)
	}
	return out, failed, nil
}

// recordError is why a record can't be converted.
type recordError struct{ code, message string }

func (e *recordError) Error() string { return e.message }

func malformed(message string) error { return &recordError{CodeMalformed, message} }

func mismatch(format string, args ...any) error {
	return malformed("Data does not match the schema. " + fmt.Sprintf(format, args...))
}

// unparsable: after the first sentence AWS was seen to have Jackson's words, which are not ours.
func unparsable(reason string) error {
	return &recordError{CodeParse, "Encountered malformed JSON. " + reason}
}

// record shreds all JSON objects of a record, or none of them, and tells how many there were.
func (s *shredder) record(row *hiveType, record []byte) (rows int, err error) {
	s.mark()
	defer func() {
		if err != nil {
			s.rewind()
		} else {
			s.rows += rows
		}
	}()
	d := &s.doc
	if d.start(record); !d.more() {
		return 0, malformed("The record was empty or contained only whitespace.") // AWS was seen to say so
	}
	if !utf8.Valid(record) { // Jackson refuses it
		return 0, unparsable("it is not UTF-8")
	}
	for ; d.more(); rows++ {
		if err := d.next(); err != nil {
			return 0, unparsable(err.Error())
		}
		if err := s.root(row); err != nil {
			return 0, err
		}
	}
	return rows, nil
}

func (s *shredder) root(row *hiveType) error {
	switch s.doc.nodes[0].kind {
	case jsonObject:
		return s.object(row, 0, 0)
	case jsonArray: // the developer guide calls it not valid; code and words are UNVERIFIED
		return mismatch("An array of JSON documents is not a valid input.")
	}
	// Another emulator of Firehose has this text; UNVERIFIED.
	return malformed("The input JSON contained a primitive at the top level. The top level must be an object or array.")
}

// chunks is a file in memory that grows without being copied.
type chunks [][]byte

const chunkSize = 1 << 20

func (c *chunks) Write(p []byte) (int, error) {
	last := len(*c) - 1
	if last < 0 || cap((*c)[last])-len((*c)[last]) < len(p) {
		size := chunkSize
		if last < 0 {
			size = 4 << 10
		}
		*c = append(*c, make([]byte, 0, max(size, len(p))))
		last++
	}
	(*c)[last] = append((*c)[last], p...)
	return len(p), nil
}

var _ io.Writer = (*chunks)(nil)
