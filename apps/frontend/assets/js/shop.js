// What makes the pages more comfortable. Everything works without it.
import { addToCart } from "./add.js";
import { localTimes, onceOnly, takeFocus } from "./forms.js";
import { showHome } from "./home.js";
import { followOrders } from "./orders.js";

takeFocus();
localTimes();
onceOnly();
addToCart();
showHome();
followOrders();
