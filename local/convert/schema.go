package convert

import (
	"errors"
	"fmt"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/encoding"
)

var compressions = map[string]compress.Codec{"UNCOMPRESSED": &parquet.Uncompressed, "GZIP": &parquet.Gzip, "SNAPPY": &parquet.Snappy}

// setDefaults fills in AWS's defaults and looks at the limits (API reference, ParquetSerDe).
func (o *ParquetSerDe) setDefaults() error {
	if o.BlockSizeBytes == 0 {
		o.BlockSizeBytes = 256 << 20
	}
	if o.PageSizeBytes == 0 {
		o.PageSizeBytes = 1 << 20
	}
	if o.Compression == "" {
		o.Compression = "SNAPPY"
	}
	if o.WriterVersion == "" {
		o.WriterVersion = "V1"
	}
	var errs []error
	if o.BlockSizeBytes < 64<<20 {
		errs = append(errs, fmt.Errorf("BlockSizeBytes %d is less than 67108864 (64 MiB)", o.BlockSizeBytes))
	}
	if o.PageSizeBytes < 64<<10 {
		errs = append(errs, fmt.Errorf("PageSizeBytes %d is less than 65536 (64 KiB)", o.PageSizeBytes))
	}
	if _, ok := compressions[o.Compression]; !ok {
		errs = append(errs, fmt.Errorf("the Compression %q is not one of UNCOMPRESSED, GZIP and SNAPPY", o.Compression))
	}
	if o.MaxPaddingBytes < 0 {
		errs = append(errs, fmt.Errorf("MaxPaddingBytes %d is less than 0", o.MaxPaddingBytes))
	}
	if o.WriterVersion != "V1" && o.WriterVersion != "V2" {
		errs = append(errs, fmt.Errorf("the WriterVersion %q is not one of V1 and V2", o.WriterVersion))
	}
	return errors.Join(errs...)
}

func (o *ParquetSerDe) options(schema *parquet.Schema) []parquet.WriterOption {
	version := 1
	if o.WriterVersion == "V2" {
		version = 2
	}
	return append(withoutBounds(schema),
		schema,
		parquet.CreatedBy("hydrant", "", ""),
		parquet.DataPageStatistics(false), // the column index has them, shortened
		parquet.Compression(compressions[o.Compression]),
		parquet.DataPageVersion(version),
		parquet.PageBufferSize(o.PageSizeBytes),
		parquet.DictionaryMaxBytes(1<<20), // parquet-mr's default
	)
}

// schema is the file's, as Hive's HiveSchemaConverter makes it: timestamps are INT96,
// decimals FIXED_LEN_BYTE_ARRAY, arrays have the three levels NAME.bag.array_element,
// maps NAME.map.key and .value, and all but a map's key may be null. Users have seen
// Firehose's timestamps as INT96. UNVERIFIED: the rest, and so the names of what
// is between; readers go by the structure, not by them.
func (o *ParquetSerDe) schema(row *hiveType) *parquet.Schema {
	return parquet.NewSchema("hive_schema", o.group(row.fields))
}

func (o *ParquetSerDe) node(t *hiveType) parquet.Node {
	switch t.kind {
	case kindStruct:
		return parquet.Optional(o.group(t.fields))
	case kindArray:
		bag := o.group([]field{{"array_element", t.elem}})
		list := newGroup([]string{"bag"}, []parquet.Node{parquet.Repeated(bag)})
		list.annotation = parquet.List(bag).Type()
		return parquet.Optional(list)
	case kindMap:
		entry := newGroup([]string{"key", "value"}, []parquet.Node{parquet.Required(o.leaf(t.key)), o.node(t.elem)})
		m := newGroup([]string{"map"}, []parquet.Node{parquet.Repeated(entry)})
		m.annotation = parquet.Map(parquet.String(), parquet.String()).Type()
		return parquet.Optional(m)
	}
	return parquet.Optional(o.leaf(t))
}

func (o *ParquetSerDe) leaf(t *hiveType) parquet.Node {
	node := leafNode(t)
	return parquet.Encoded(node, o.encoding(node.Type().Kind()))
}

func leafNode(t *hiveType) parquet.Node {
	switch t.kind {
	case kindBoolean:
		return parquet.Leaf(parquet.BooleanType)
	case kindTinyint:
		return parquet.Int(8)
	case kindSmallint:
		return parquet.Int(16)
	case kindInt:
		return parquet.Leaf(parquet.Int32Type)
	case kindBigint:
		return parquet.Leaf(parquet.Int64Type)
	case kindFloat:
		return parquet.Leaf(parquet.FloatType)
	case kindDouble:
		return parquet.Leaf(parquet.DoubleType)
	case kindDecimal:
		return parquet.Leaf(unboundedDecimal(t))
	case kindBinary:
		return parquet.Leaf(parquet.ByteArrayType)
	case kindDate:
		return parquet.Date()
	case kindTimestamp:
		return parquet.Leaf(unboundedTimestamp())
	}
	return parquet.String()
}

// encoding is what parquet-mr, which Hive writes with, chooses for its writer versions
// PARQUET_1_0 and _2_0 (DefaultV1ValuesWriterFactory and -V2-). UNVERIFIED for
// Firehose.
func (o *ParquetSerDe) encoding(k parquet.Kind) encoding.Encoding {
	switch {
	case o.EnableDictionaryCompression && k != parquet.Boolean:
		return &parquet.RLEDictionary
	case o.WriterVersion == "V1":
		return &parquet.Plain
	}
	switch k {
	case parquet.Boolean:
		return &parquet.RLE
	case parquet.Int32, parquet.Int64:
		return &parquet.DeltaBinaryPacked
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return &parquet.DeltaByteArray
	}
	return &parquet.Plain
}

// group is a parquet.Group that keeps the order of its fields, which that sorts by
// name. Readers such as Redshift's COPY go by the order.
type group struct {
	parquet.Group
	order      []string
	annotation parquet.Type // nil is none
}

func newGroup(names []string, nodes []parquet.Node) *group {
	g := &group{Group: parquet.Group{}, order: names}
	for i, name := range names {
		g.Group[name] = nodes[i]
	}
	return g
}

func (o *ParquetSerDe) group(fields []field) *group {
	var names []string
	var nodes []parquet.Node
	for _, f := range fields {
		names = append(names, f.name)
		nodes = append(nodes, o.node(f.hiveType))
	}
	return newGroup(names, nodes)
}

// Fields is of [parquet.Node].
func (g *group) Fields() []parquet.Field {
	at := map[string]int{}
	for i, name := range g.order {
		at[name] = i
	}
	fields := g.Group.Fields()
	slices.SortFunc(fields, func(a, b parquet.Field) int { return at[a.Name()] - at[b.Name()] })
	return fields
}

// Type is of [parquet.Node].
func (g *group) Type() parquet.Type {
	if g.annotation != nil {
		return g.annotation
	}
	return g.Group.Type()
}

// place gives t, and all in it, the columns from the given one on, and the levels
// of a value that is there (Dremel's, as Parquet uses them): each thing that may be
// null or repeat adds a definition level, each that may repeat a repetition level.
func place(t *hiveType, column, rep, def int) int {
	t.column, t.end, t.rep, t.def = column, column+1, rep, def
	switch t.kind {
	case kindStruct:
		t.end = column
		for _, f := range t.fields {
			t.end = place(f.hiveType, t.end, rep, def+1)
		}
	case kindArray:
		t.end = place(t.elem, column, rep+1, def+2)
	case kindMap:
		t.end = place(t.elem, place(t.key, column, rep+1, def+1), rep+1, def+2)
	}
	return t.end
}
