package admin

import (
	"errors"

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
