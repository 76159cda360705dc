package wire

// Record headers that cairn sets. Everything else in a header is the writer's.
const (
	// HeaderType marks a record that is not plain data but talk between steps:
	// "copy" (a re-keyed raw record) on touchpoints.raw. Readers of data skip
	// the types they do not know.
	HeaderType = "cairn-type"
	// HeaderOrigin is topic/partition/offset of the record a copy or a rejected
	// record came from.
	HeaderOrigin = "cairn-origin"
	// HeaderReceivedAt is the arrival time of the original, Unix ms in decimal.
	HeaderReceivedAt = "cairn-received-at"
	// HeaderBackfill, with any value, waives the lateness horizon.
	HeaderBackfill = "cairn-backfill"
	// HeaderSource names the source of a record whose body cannot tell.
	HeaderSource = "cairn-source"
	// HeaderReason is the short reason of a rejected or late record, HeaderError
	// the sentence for people. On touchpoints.raw they are a front door's own
	// complaint: the device step rejects the record whole, unread, and so counts
	// it like any other.
	HeaderReason = "cairn-reason"
	HeaderError  = "cairn-error"
	// HeaderReplay says that the record was rejected before and comes again,
	// repaired (cairn replay --rejected): topic/partition/offset of the first
	// attempt. Its arrival is that of HeaderReceivedAt.
	HeaderReplay = "cairn-replay"
	// HeaderEpoch is the rebuild epoch a copy was made in, decimal.
	HeaderEpoch = "cairn-epoch"
	// HeaderMAC of a forget record on touchpoints.raw is its ForgetMAC.
	HeaderMAC = "cairn-mac"
	// HeaderSchema names the record's schema and version, "touchpoint/1".
	HeaderSchema = "cairn-schema"
	// HeaderContentType is the media type of the value.
	HeaderContentType = "content-type"
)

// Values of HeaderType.
const (
	TypeCopy  = "copy"  // touchpoints.raw: a record that was keyed or partitioned wrongly, keyed right
	TypeLink  = "link"  // touchpoints.raw: another identifier was seen with a user
	TypeEpoch = "epoch" // quality: a rebuild is complete
	// touchpoints.rejected: the record whose origin is the key was put back to
	// touchpoints.raw.
	TypeReplayed = "replayed"
	// touchpoints: an identifier's owners have changed, and points that move;
	// users that aliases join, and points of one that another has the rows of
	// (TypeCopy there).
	TypeRelinquish = "relinquish"
	TypeAdopt      = "adopt"
	TypeJoin       = "join"
)

// Media types of values.
const (
	ContentProtobuf    = "application/x-protobuf"
	ContentJSON        = "application/json"
	ContentCloudEvents = "application/cloudevents+json"
)
