package convert

import (
	"math/big"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// unbounded is the type of decimals and timestamps, of which no file may say what the
// least and the greatest value is: parquet-go compares a decimal's bytes without the
// sign, so a reader that looks for 7 among -5 and 9 would leave the page out, and
// INT96 has no order (parquet.thrift, ColumnOrder).
type unbounded struct {
	parquet.Type
	low, high []byte // of all values that there can be
}

func unboundedDecimal(t *hiveType) parquet.Type {
	size := decimalBytes(t.length)
	u := unbounded{parquet.Decimal(t.scale, t.length, parquet.FixedLenByteArrayType(size)).Type(), make([]byte, size), make([]byte, size)}
	high := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(t.length)), nil)
	high.Sub(high, big.NewInt(1))
	twosComplement(high, u.high)
	twosComplement(high.Neg(high), u.low)
	return u
}

func unboundedTimestamp() parquet.Type {
	return unbounded{parquet.Int96Type, []byte{11: 0x80}, []byte{8: 0xff, 9: 0xff, 10: 0xff, 11: 0x7f}}
}

// NewColumnIndexer is of [parquet.Type].
func (u unbounded) NewColumnIndexer(int) parquet.ColumnIndexer { return &wideIndex{of: u} }

// withoutBounds are the options that keep bounds of such columns out of the footer.
func withoutBounds(schema *parquet.Schema) (options []parquet.WriterOption) {
	for _, path := range schema.Columns() {
		if leaf, ok := schema.Lookup(path...); ok {
			if _, ok := leaf.Node.Type().(unbounded); ok {
				options = append(options, parquet.SkipPageBounds(path...))
			}
		}
	}
	return options
}

// wideIndex says of each page that any value may be in it, as a column index can't
// say that it does not know.
type wideIndex struct {
	of    unbounded
	index format.ColumnIndex
}

// Reset is of [parquet.ColumnIndexer].
func (w *wideIndex) Reset() { w.index = format.ColumnIndex{} }

// IndexPage is of [parquet.ColumnIndexer].
func (w *wideIndex) IndexPage(values, nulls int64, _, _ parquet.Value) {
	low, high := w.of.low, w.of.high
	if values == nulls {
		low, high = nil, nil
	}
	w.index.NullPages = append(w.index.NullPages, values == nulls)
	w.index.NullCounts = append(w.index.NullCounts, nulls)
	w.index.MinValues = append(w.index.MinValues, low)
	w.index.MaxValues = append(w.index.MaxValues, high)
}

// ColumnIndex is of [parquet.ColumnIndexer].
func (w *wideIndex) ColumnIndex() format.ColumnIndex {
	index := w.index
	index.BoundaryOrder = format.Unordered
	w.index = format.ColumnIndex{} // the writer keeps what it got
	return index
}
