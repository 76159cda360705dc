package snowplow

import (
	"encoding/json"
	"strings"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// selfDescribing reads the event of ue_pr or ue_px: its schema's name is the
// event's, but for those that have a usual name elsewhere.
func (b *builder) selfDescribing() *door.Reject {
	docs, rej := b.documents("ue_pr", "ue_px")
	if rej != nil {
		return rej
	}
	if len(docs) == 0 {
		return door.NewReject(door.CodeNoEvent, "A self-describing event has ue_pr or ue_px.", "/ue_pr")
	}
	d := docs[0]
	s, ok := parseSchema(d.Schema)
	if ok && s.Name == "unstruct_event" && strings.HasPrefix(s.Vendor, snowplows) { // the wrapping of all of them
		inner := document{}
		if json.Unmarshal(d.Data, &inner) != nil {
			return door.NewReject(door.CodeBadField, "A self-describing event is an object with schema and data.", "/ue_pr/data")
		}
		d = inner
		s, ok = parseSchema(d.Schema)
	}
	if !ok {
		return door.NewReject(door.CodeNoEvent, "The event's schema must be iglu:vendor/name/format/version.", "/ue_pr/data/schema")
	}
	b.context["schema"] = s
	props := properties(d.Data)
	b.t.Type, b.t.Event = "track", journey.SnakeCase(s.Name)
	switch {
	case s.Vendor == ecommerce:
		if s.Name == "snowplow_ecommerce_action" {
			if name := actionName(texts(d.Data)); name != "" {
				b.t.Event = name
			}
		}
		b.commerce(props)
		if step, _ := props["step"].(json.RawMessage); b.t.Event == "checkout_step_viewed" && string(step) == "1" {
			b.t.Event = "checkout_started"
		}
	case strings.HasPrefix(s.Vendor, snowplows):
		b.known(s.Name, d.Data, props)
	}
	if len(props) > 0 {
		b.t.Properties = props
	}
	return nil
}

// known gives Snowplow's own events the names and members that the default
// models of stages know.
func (b *builder) known(name string, raw json.RawMessage, props map[string]any) {
	data := texts(raw)
	switch name {
	case "screen_view":
		b.t.Type, b.t.Event, b.t.Name = "screen", "", data["name"]
	case "link_click":
		b.t.Event = "link_clicked"
		rename(props, "targetUrl", "url")
	case "submit_form":
		b.t.Event = "form_submitted"
		rename(props, "formId", "form_id")
	case "site_search":
		b.t.Event = "products_searched"
	case "add_to_cart", "remove_from_cart":
		b.t.Event = "product_added"
		if name == "remove_from_cart" {
			b.t.Event = "product_removed"
		}
		rename(props, "sku", "product_id")
		rename(props, "unitPrice", "price")
	}
}

// rename adds a member under a second name, unless it is there.
func rename(props map[string]any, from, to string) {
	if value, has := props[from]; has {
		if _, taken := props[to]; !taken {
			props[to] = value
		}
	}
}

// actionName is the usual name of an e-commerce action, or "".
func actionName(data map[string]string) string {
	switch data["type"] {
	case "product_view":
		return "product_viewed"
	case "list_view":
		return "product_list_viewed"
	case "list_click":
		return "product_clicked"
	case "add_to_cart":
		return "product_added"
	case "remove_from_cart":
		return "product_removed"
	case "checkout_step":
		return "checkout_step_viewed"
	case "transaction":
		return "order_completed"
	case "refund":
		return "order_refunded"
	case "transaction_error":
		return "payment_failed"
	case "promo_view":
		return "promotion_viewed"
	case "promo_click":
		return "promotion_clicked"
	}
	return journey.SnakeCase(data["type"])
}
