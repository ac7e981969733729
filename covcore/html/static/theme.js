// Before anything is painted: that there are scripts, and the theme that the reader chose, if any, in place of the system's.
"use strict";
document.documentElement.className = "scripts";
try {
  const theme = localStorage.getItem("covcore-theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch {
  // storage may be forbidden
}
