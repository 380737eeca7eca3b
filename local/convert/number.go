package convert

import (
	"bytes"
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// number is a decimal number as it is written: 0.digits × 10^point. It has no
// leading zeros, and is zero without digits.
type number struct {
	negative bool
	digits   []byte
	point    int
}

// parseNumber reads "-12.5e3", with a sign of either kind, as Java's BigDecimal does.
// An exponent too large to reckon with becomes one that is merely enormous: nobody
// can tell, for neither fits anything.
func parseNumber(text []byte) (number, bool) {
	var n number
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		n.negative, text = text[0] == '-', text[1:]
	}
	exponent := 0
	if e := bytes.IndexAny(text, "eE"); e >= 0 {
		x, err := strconv.ParseInt(string(text[e+1:]), 10, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return n, false
		}
		exponent, text = int(max(min(x, 1e9), -1e9)), text[:e]
	}
	whole, fraction, _ := bytes.Cut(text, []byte("."))
	n.digits = make([]byte, 0, len(text))
	n.digits = append(append(n.digits, whole...), fraction...)
	if len(n.digits) == 0 || len(bytes.Trim(n.digits, "0123456789")) > 0 {
		return n, false
	}
	n.point = len(whole) + exponent
	zeros := len(n.digits) - len(bytes.TrimLeft(n.digits, "0"))
	n.digits, n.point = n.digits[zeros:], n.point-zeros
	return n, true
}

// round is the number as a multiple of 10^-scale, the half away from zero, as Hive's
// HiveDecimal.enforcePrecisionScale rounds. It is false if that has more than
// precision digits.
func (n *number) round(precision, scale int) (*big.Int, bool) {
	keep := n.point + scale
	if len(n.digits) == 0 || keep < 0 {
		return new(big.Int), true
	}
	if keep > precision {
		return nil, false
	}
	kept := append(make([]byte, 0, keep+1), '0')
	kept = append(kept, n.digits[:min(keep, len(n.digits))]...)
	for len(kept) <= keep {
		kept = append(kept, '0')
	}
	x, _ := new(big.Int).SetString(string(kept), 10)
	if keep < len(n.digits) && n.digits[keep] >= '5' {
		x.Add(x, big.NewInt(1))
	}
	if len(x.Text(10)) > precision {
		return nil, false
	}
	if n.negative {
		x.Neg(x)
	}
	return x, true
}

// twosComplement writes x into dst, the first byte the highest, as Parquet's decimals are.
func twosComplement(x *big.Int, dst []byte) {
	if x.Sign() < 0 {
		x = new(big.Int).Add(x, new(big.Int).Lsh(big.NewInt(1), uint(8*len(dst))))
	}
	x.FillBytes(dst)
}

// decimalBytes is how many bytes hold any decimal of a precision, as Hive's
// ParquetHiveSerDe.PRECISION_TO_BYTE_COUNT.
func decimalBytes(precision int) int {
	return int(math.Ceil((math.Log2(math.Pow10(precision)-1) + 1) / 8))
}

// thousandths is the number × 1000, cut off towards zero.
func (n *number) thousandths() (int64, bool) { return n.integer(3) }

// integer is the number × 10^scale, cut off towards zero; false if that isn't an int64.
func (n *number) integer(scale int) (int64, bool) {
	keep := n.point + scale
	if len(n.digits) == 0 || keep <= 0 {
		return 0, true
	}
	if keep > 19 {
		return 0, false
	}
	text := append(make([]byte, 0, 20), n.digits[:min(keep, len(n.digits))]...)
	for len(text) < keep {
		text = append(text, '0')
	}
	if n.negative {
		text = append([]byte{'-'}, text...)
	}
	x, err := strconv.ParseInt(string(text), 10, 64)
	return x, err == nil
}

// parseFloat reads what Java's Double.parseDouble does, but for hexadecimal
// numbers and its suffixes d and f. Too large a number becomes infinite, as there.
func parseFloat(text []byte, bits int) (float64, bool) {
	switch trimmed := strings.TrimSpace(string(text)); trimmed {
	case "NaN", "Infinity", "+Infinity", "-Infinity":
		f, _ := strconv.ParseFloat(trimmed, bits)
		return f, true
	default:
		if strings.Trim(trimmed, "0123456789+-.eE") != "" {
			return 0, false
		}
		f, err := strconv.ParseFloat(trimmed, bits)
		return f, err == nil || errors.Is(err, strconv.ErrRange)
	}
}

// parseInt reads a whole number of a width in bits, hexadecimal after 0x, as the OpenX
// SerDe's ParsePrimitiveUtils does.
func parseInt(text []byte, bits int) (int64, bool) {
	s, base := string(text), 10
	if strings.HasPrefix(s, "0x") || strings.HasPrefix(s, "0X") {
		s, base = s[2:], 16
	}
	n, err := strconv.ParseInt(s, base, bits)
	return n, err == nil
}
