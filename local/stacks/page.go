package stacks

import (
	"github.com/hydrant-go/hydrant/internal/awsapi"
)

// A page has so many entries at most, and where they may be long so many bytes, as AWS's.
const (
	maxPage      = 100
	maxPageBytes = 1 << 20
)

// page cuts a list, which is sorted, to what follows the place that a token stands for.
// place makes an entry's place, and less orders places; size is about what an entry
// takes, nil for what is short. A token is good for as long as
// places have their order, whatever comes or goes meanwhile.
func page[T, P any](list []T, token *string, place func(T) P, less func(a, b P) bool, size func(T) int) (part []T, next string, err error) {
	if token != nil {
		var after P
		if awsapi.ReadToken(*token, &after) != nil { // how AWS words it is not known
			return nil, "", invalid("The specified NextToken is not one that this call was answered with.")
		}
		for len(list) > 0 && !less(after, place(list[0])) {
			list = list[1:]
		}
	}
	n := min(len(list), maxPage)
	if size != nil {
		bytes := 0
		for i, v := range list[:n] {
			if bytes += size(v); bytes > maxPageBytes && i > 0 {
				n = i
				break
			}
		}
	}
	if len(list) > n {
		list = list[:n]
		next = awsapi.Token(place(list[n-1]))
	}
	return list, next, nil
}

func inOrder(a, b string) bool { return a < b }
