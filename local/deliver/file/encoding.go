package file

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A file has no place for a Content-Encoding. That of most objects follows from
// their keys (usualEncoding); for the others, such as gzip under a FileExtension
// of the user's own, a small file in encodings holds it. Its name is a hash of
// the object's bucket, key and size. So it can be written before the object
// that it belongs to, without a word on the one that is replaced; it stays right
// when the folder is copied; and it says nothing of what somebody else puts in
// the object's place. Only of two contents that have key and size in common the
// later one's encoding is taken for both.

const encodings = ".encodings"

// usualEncoding is what a key tells: AWS was seen to end the keys of gzip, and
// of nothing else, with .gz.
func usualEncoding(key string) string {
	if strings.HasSuffix(key, ".gz") {
		return "gzip"
	}
	return ""
}

func encodingFile(name string, size int64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", name, size))
	return filepath.Join(encodings, fmt.Sprintf("%x", sum[:16]))
}

// setEncoding notes the encoding of the object name, which is BUCKET/KEY, and
// returns when the note is on the disk.
func setEncoding(root *os.Root, name string, size int64, encoding string) error {
	note := encodingFile(name, size)
	if encoding == usualEncoding(name) {
		forgetEncoding(root, name, size)
		return nil
	}
	if strings.ContainsAny(encoding, "\r\n") {
		return fmt.Errorf("the content encoding %q has more than one line", encoding)
	}
	temp, _, err := write(root, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s\n%s\n", encoding, name) // the name is for people
		return err
	})
	if err != nil {
		return err
	}
	return place(root, temp, note)
}

// encodingOf is what setEncoding has noted.
func encodingOf(root *os.Root, name string, size int64) (string, error) {
	note, err := root.ReadFile(encodingFile(name, size))
	if errors.Is(err, fs.ErrNotExist) {
		return usualEncoding(name), nil
	}
	encoding, _, _ := strings.Cut(string(note), "\n")
	return encoding, err
}

// forgetEncoding tries to remove a note; one that stays does no harm. The note
// of an object that is replaced does stay: somebody may be reading it, or be
// writing its like.
func forgetEncoding(root *os.Root, name string, size int64) {
	_ = root.Remove(encodingFile(name, size))
}
