package local

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"sync/atomic"
)

// recordIDLen is the length that AWS's record ids were seen to have: 168 bytes
// in base64 without padding.
const recordIDLen = 168 * 4 / 3

const (
	base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	numberLen      = 11 // 64 bits
	windows        = 4096
)

// recordIDs makes record ids, which are opaque, so that making one costs little
// more than copying it: an id is its mixed number and a window of random text.
// The number keeps the ids of one recordIDs apart, the text those of two. Its
// method may be called from many goroutines.
type recordIDs struct {
	noise string // of base64's alphabet
	last  atomic.Uint64
}

func newRecordIDs() *recordIDs {
	raw := make([]byte, (windows+recordIDLen)*3/4)
	_, _ = rand.Read(raw) // never fails
	ids := &recordIDs{noise: base64.RawStdEncoding.EncodeToString(raw)}
	ids.last.Store(binary.NativeEndian.Uint64(raw))
	return ids
}

// next returns n ids, one after the other.
func (ids *recordIDs) next(n int) string {
	var text strings.Builder
	text.Grow(n * recordIDLen)
	last := ids.last.Add(uint64(n))
	var id [recordIDLen]byte
	for i := range uint64(n) {
		x := mix(last - i)
		for j := range numberLen {
			id[j] = base64Alphabet[x>>(6*j)%64]
		}
		copy(id[numberLen:], ids.noise[x%windows:])
		text.Write(id[:])
	}
	return text.String()
}

// mix is the last step of SplitMix64: no two numbers become the same one, and
// neighbours look unrelated.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
