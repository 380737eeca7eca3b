package server

import (
	"fmt"
	"strings"
	"testing"
)

func TestTags(t *testing.T) {
	h, _ := open(t)
	call := func(op, members, want string) {
		t.Helper()
		status, answer := post(h, op, `{"DeliveryStreamName":"s"`+members+`}`)
		if (status == 200) != strings.HasPrefix(want, "{") || status == 200 && answer != want || status != 200 && failure(t, answer) != want {
			t.Errorf("%s %s: %d\n%s\nwant\n%s", op, members, status, answer, want)
		}
	}
	call("ListTagsForDeliveryStream", ``, `{"Tags":[],"HasMoreTags":false}`)
	call("TagDeliveryStream", `,"Tags":[{"Key":"b","Value":"1"},{"Key":"a","Value":"1"},{"Key":"b","Value":"2"},{"Key":"c"}]`, `{}`)
	call("ListTagsForDeliveryStream", ``, `{"Tags":[{"Key":"a","Value":"1"},{"Key":"b","Value":"2"},{"Key":"c","Value":""}],"HasMoreTags":false}`)
	call("ListTagsForDeliveryStream", `,"Limit":1`, `{"Tags":[{"Key":"a","Value":"1"}],"HasMoreTags":true}`)
	call("ListTagsForDeliveryStream", `,"Limit":2,"ExclusiveStartTagKey":"a"`, `{"Tags":[{"Key":"b","Value":"2"},{"Key":"c","Value":""}],"HasMoreTags":false}`)
	call("ListTagsForDeliveryStream", `,"ExclusiveStartTagKey":"bb"`, `{"Tags":[{"Key":"c","Value":""}],"HasMoreTags":false}`)
	call("UntagDeliveryStream", `,"TagKeys":["a","nope","b"]`, `{}`)
	call("ListTagsForDeliveryStream", `,"Limit":50`, `{"Tags":[{"Key":"c","Value":""}],"HasMoreTags":false}`)

	const one = "ValidationException: 1 validation error detected: Value "
	set := " at 'tagKeys'" + must + `satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: ^(?!aws:)[\p{L}\p{Z}\p{N}_.:\/=+\-@%]*$]`
	call("ListTagsForDeliveryStream", `,"Limit":51`, one+"'51' at 'limit'"+must+"have value less than or equal to 50")
	call("ListTagsForDeliveryStream", `,"Limit":0`, one+"'0' at 'limit'"+must+"have value greater than or equal to 1")
	call("ListTagsForDeliveryStream", `,"ExclusiveStartTagKey":""`, one+"'' at 'exclusiveStartTagKey'"+must+"have length greater than or equal to 1")
	call("TagDeliveryStream", ``, one+"null at 'tags'"+must+"not be null")
	call("TagDeliveryStream", `,"Tags":[]`, one+"'[]' at 'tags'"+must+"have length greater than or equal to 1")
	call("TagDeliveryStream", `,"Tags":[{"Key":"`+strings.Repeat("ü", 129)+`"}]`, one+"'"+strings.Repeat("ü", 129)+"' at 'tags.1.member.key'"+must+"have length less than or equal to 128")
	call("TagDeliveryStream", `,"Tags":[{"Key":"`+strings.Repeat("ü", 128)+`","Value":"`+strings.Repeat("ü", 256)+`"}]`, `{}`)
	call("UntagDeliveryStream", ``, one+"null at 'tagKeys'"+must+"not be null")
	call("UntagDeliveryStream", `,"TagKeys":[]`, one+"'[]' at 'tagKeys'"+must+"have length greater than or equal to 1")
	call("UntagDeliveryStream", `,"TagKeys":["a","aws:b"]`, one+"'[a, aws:b]'"+set)
	call("UntagDeliveryStream", `,"TagKeys":[""]`, one+"'[]'"+set)
	call("UntagDeliveryStream", `,"TagKeys":["k"`+strings.Repeat(`,"k"`, 50)+`]`, one+"'[k"+strings.Repeat(", k", 50)+"]' at 'tagKeys'"+must+"have length less than or equal to 50")
	call("UntagDeliveryStream", `,"TagKeys":[1]`, "SerializationException: TagKeys is not valid JSON for this operation: json: cannot unmarshal number into Go value of type string")
	for _, op := range []string{"TagDeliveryStream", "UntagDeliveryStream", "ListTagsForDeliveryStream"} {
		if _, answer := post(h, op, `{"DeliveryStreamName":"a/b","Tags":[{"Key":"k"}],"TagKeys":["k"]}`); failure(t, answer) != one+"'a/b' at 'deliveryStreamName'"+must+"satisfy regular expression pattern: [a-zA-Z0-9_.-]+" {
			t.Errorf("%s: %s", op, answer)
		}
	}
}

func TestEncryption(t *testing.T) {
	h, m := open(t)
	for _, tt := range []struct{ op, body, want string }{
		{"StartDeliveryStreamEncryption", `{"DeliveryStreamName":"s"}`, "{ENABLING AWS_OWNED_CMK  <nil>}"},
		{"StartDeliveryStreamEncryption", `{"DeliveryStreamName":"s","DeliveryStreamEncryptionConfigurationInput":{"KeyType":"CUSTOMER_MANAGED_CMK","KeyARN":"arn:aws:kms:us-east-1:000000000000:key/k"}}`, "{ENABLING CUSTOMER_MANAGED_CMK arn:aws:kms:us-east-1:000000000000:key/k <nil>}"},
		{"StopDeliveryStreamEncryption", `{"DeliveryStreamName":"s"}`, "{DISABLING   <nil>}"},
		{"StartDeliveryStreamEncryption", `{"DeliveryStreamName":"s","DeliveryStreamEncryptionConfigurationInput":{"KeyARN":"k"}}`, "ValidationException: 2 validation errors detected: Value null at 'deliveryStreamEncryptionConfigurationInput.keyType'" + must + "not be null; Value 'k' at 'deliveryStreamEncryptionConfigurationInput.keyARN'" + must + `satisfy regular expression pattern: arn:.*:kms:[a-zA-Z0-9\-]+:\d{12}:key/[a-zA-Z_0-9+=,.@\-_/]+`},
		{"StartDeliveryStreamEncryption", `{"DeliveryStreamName":"s","DeliveryStreamEncryptionConfigurationInput":{"KeyType":"CUSTOMER_MANAGED_CMK"}}`, argument + "KeyARN has to be specified when KeyType is CUSTOMER_MANAGED_CMK"},
		{"StartDeliveryStreamEncryption", `{"DeliveryStreamName":"s","DeliveryStreamEncryptionConfigurationInput":{"KeyType":"AWS_OWNED_CMK","KeyARN":"arn:aws:kms:us-east-1:000000000000:key/k"}}`, argument + "KeyARN cannot be specified when KeyType is AWS_OWNED_CMK"},
		{"StartDeliveryStreamEncryption", `{"DeliveryStreamName":"s","DeliveryStreamEncryptionConfigurationInput":{"KeyType":"AWS_OWNED_CMK","KeyID":"k"}}`, unsupported + "DeliveryStreamEncryptionConfigurationInput.KeyID."},
		{"StartDeliveryStreamEncryption", `{}`, at + "null at 'deliveryStreamName'" + must + "not be null"},
		{"StopDeliveryStreamEncryption", `{}`, at + "null at 'deliveryStreamName'" + must + "not be null"},
		{"StopDeliveryStreamEncryption", `{"DeliveryStreamName":"nope"}`, "ResourceNotFoundException: Firehose nope under account 000000000000 not found."},
	} {
		status, answer := post(h, tt.op, tt.body)
		got := fmt.Sprint(m.streams[streamID{Caller{Account: "000000000000", Region: "us-east-1"}, "s"}].Encryption)
		if status != 200 {
			got = failure(t, answer)
		} else if answer != "{}" {
			t.Errorf("%s: %s", tt.op, answer)
		}
		if got != tt.want {
			t.Errorf("%s %s:\n%d %s\nwant\n%s", tt.op, tt.body, status, got, tt.want)
		}
	}
}
