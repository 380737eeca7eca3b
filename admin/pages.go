package admin

import (
	"errors"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// errSamePage is not the end of a listing: what comes after it would be left out, and
// nobody told.
var errSamePage = errors.New("the answer has a page token that came before; it would go round in circles")

// pageTokens are those that a listing was answered with.
type pageTokens map[string]bool

// next tells whether there is another page: a page may be empty and have one.
func (p pageTokens) next(token *string) (more bool, err error) {
	t := aws.ToString(token)
	if p[t] {
		return false, errSamePage
	}
	if t != "" {
		p[t] = true
	}
	return t != "", nil
}

// afterLast yields what the pages of a listing hold, each once by its key. Firehose's
// listings have no token and the SDK no paginator: the next page starts after the last
// key, so that a page without a new one is the end, whatever it says of more.
func afterLast[T any](key func(T) string, page func(last *string) (list []T, more bool, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var last *string
		seen := map[string]bool{}
		for {
			list, more, err := page(last)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			before := len(seen)
			for _, v := range list {
				k := key(v)
				if seen[k] {
					continue
				}
				seen[k], last = true, &k
				if !yield(v, nil) {
					return
				}
			}
			if !more || len(seen) == before {
				return
			}
		}
	}
}
