package stacks

import (
	"encoding/base64"
	"encoding/json"

	"github.com/hydrant-go/hydrant/internal/awsapi"
)

// maxPage is how many entries a page has. AWS's pages are of a size in bytes.
const maxPage = 100

// page cuts a list, which is sorted, to what follows the place that a token stands for.
// place makes an entry's place, and less orders places. A token is good for as long as
// places have their order, whatever comes or goes meanwhile.
func page[T, P any](list []T, token *string, place func(T) P, less func(a, b P) bool) (part []T, next string, err error) {
	if token != nil {
		var after P
		text, err := base64.RawURLEncoding.DecodeString(*token)
		if err == nil {
			err = json.Unmarshal(text, &after)
		}
		if err != nil { // how AWS words it is not known
			return nil, "", invalid("The specified NextToken is not one that this call was answered with.")
		}
		for len(list) > 0 && !less(after, place(list[0])) {
			list = list[1:]
		}
	}
	if len(list) > maxPage {
		list = list[:maxPage]
		next = base64.RawURLEncoding.EncodeToString(awsapi.JSON(place(list[maxPage-1])))
	}
	return list, next, nil
}

func inOrder(a, b string) bool { return a < b }
